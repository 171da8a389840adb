//! Short forms for the rows of the command table.

use clap::{Arg, ArgAction};

/// A flag without a value. Giving it again changes nothing, and is no mistake either.
pub(crate) fn flag(letter: char, id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).short(letter).action(ArgAction::SetTrue).overrides_with(id).help(help)
}

/// A flag without a value that means more when it is given again (`-vvv`).
pub(crate) fn counted(letter: char, id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).short(letter).action(ArgAction::Count).help(help)
}

/// A long flag without a value and without a letter.
pub(crate) fn switch(long: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).action(ArgAction::SetTrue).overrides_with(long).help(help)
}

/// A lettered option with a value, which may be given again and may begin with a dash.
pub(crate) fn value(letter: char, id: &'static str, name: &'static str, help: &'static str) -> Arg {
    taking(Arg::new(id).short(letter), name, help)
}

/// A long option with a value.
pub(crate) fn long_value(long: &'static str, name: &'static str, help: &'static str) -> Arg {
    taking(Arg::new(long).long(long), name, help)
}

fn taking(arg: Arg, name: &'static str, help: &'static str) -> Arg {
    arg.value_name(name).action(ArgAction::Append).allow_hyphen_values(true).help(help)
}

/// `--help` alone, for the commands whose `-h` is something else.
pub(crate) fn long_help() -> Arg {
    Arg::new("help").long("help").action(ArgAction::Help).help("Show this help").help_heading("Other")
}
