//! Changing what protects or names a key; the key itself stays.

use super::{check_comment, convert, failure, key_file, open_private, passphrase, shown};
use crate::atomic::Existing;
use crate::cli::keygen::{KeyType, KeygenArgs};
use crate::failure::Failure;
use crate::{keyfile, output, prompt};

/// `-p`: a new passphrase, or none.
pub(super) fn passphrase(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let (key, _) = open_private(args, &path)?;
    if !key.comment().is_empty() && !args.quiet {
        output::print(&format!("Key has comment '{}'\n", shown(key.comment())))?;
    }
    let new = match &args.new_passphrase {
        Some(text) => passphrase::given(text),
        None => passphrase::ask_new("Enter new passphrase (empty for no passphrase): ")?,
    };
    let text = convert::private(args, &key, &new)?;
    keyfile::write_text(&path, &text, Existing::Replace)?;
    if args.quiet { Ok(()) } else { output::print("Your identification has been saved with the new passphrase.\n") }
}

/// `-c`: a new comment, in the private key and in the public one beside it.
pub(super) fn comment(args: &KeygenArgs) -> Result<(), Failure> {
    let path = key_file(args, "Enter file in which the key is", KeyType::Ed25519)?;
    let (mut key, secret) = open_private(args, &path)?;
    let old = key.comment().to_owned();
    let say = |text: String| if args.quiet { Ok(()) } else { output::print(&text) };
    say(match old.as_str() {
        "" => "Key has no comment\n".to_owned(),
        comment => format!("Old comment: {}\n", shown(comment)),
    })?;
    let new = match &args.comment {
        Some(comment) => comment.clone(),
        None => match prompt::visible("New comment: ")? {
            Some(answer) => answer,
            None => return Err(failure("no comment was given").hint("give it with -C")),
        },
    };
    check_comment(&new)?;
    if new == old {
        return say("No change to comment\n".to_owned());
    }
    key.set_comment(new.clone());
    keyfile::write(&path, &key, secret.protection(args.rounds), Existing::Replace)?;
    keyfile::write_public(&path, &key.public_key())?;
    say(if new.is_empty() { "Comment removed\n".to_owned() } else { format!("Comment '{new}' applied\n") })
}
