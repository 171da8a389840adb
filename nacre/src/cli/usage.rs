//! clap's errors in our own shape: one line that names the mistake, one that helps.

use super::{Early, printable};
use crate::failure::{Failure, USAGE};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The last word of a program name: `ssh` for `nacre ssh`.
pub(crate) fn short(name: &str) -> &str {
    let last = name.rsplit(' ').next().unwrap_or(name);
    match super::OPENSSH_NAMES.iter().find(|(openssh, _)| *openssh == last) {
        Some((_, subcommand)) => subcommand,
        None => last,
    }
}

/// A usage failure that points to the help of `name`.
pub(crate) fn failure(message: String, name: &str) -> Failure {
    let code = if matches!(short(name), "keygen" | "keyscan") { 1 } else { USAGE };
    Failure::with_code(code, message).hint(format!("`{name} --help` lists what there is"))
}

/// Sorts help from mistakes and words the mistake. `name` is what the user called.
pub(crate) fn early(error: clap::Error, name: &str) -> Early {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Early::Help(Box::new(error));
    }
    let told = message(&error);
    let told = if short(name) == "nacre" { told } else { format!("{}: {told}", short(name)) };
    let failure = failure(told, name);
    match suggestion(&error) {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    }
}

fn message(error: &clap::Error) -> String {
    let what = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if what.starts_with('-') => format!("unknown option {what}"),
        ErrorKind::UnknownArgument => format!("'{what}' is one word too many"),
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unknown command '{word}'")
        }
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("{what} is missing"),
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg) {
            Some(other) => format!("{what} cannot be used with {other}"),
            None => format!("{what} cannot be used here"),
        },
        ErrorKind::InvalidValue if value.as_deref().is_none_or(str::is_empty) => format!("{what} needs a value"),
        ErrorKind::TooManyValues => format!("{what} takes no value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("bad value '{}' for {what}", value.unwrap_or_default())
        }
        ErrorKind::InvalidUtf8 => "a word of the command line is not UTF-8".to_owned(),
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    }
}

fn suggestion(error: &clap::Error) -> Option<String> {
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        if let Some(nearest) = text(error, kind) {
            return Some(format!("did you mean `{nearest}`?"));
        }
    }
    text(error, ContextKind::ValidValue).map(|values| format!("known: {values}"))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(printable(text)),
        ContextValue::Strings(texts) if !texts.is_empty() => match kind {
            // clap sorts by likeness, the nearest last.
            ContextKind::SuggestedSubcommand | ContextKind::SuggestedArg | ContextKind::SuggestedValue => {
                texts.last().map(|text| printable(text))
            }
            _ => Some(printable(&texts.join(", "))),
        },
        _ => None,
    }
}
