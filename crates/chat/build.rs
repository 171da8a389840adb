//! Makes the table of look-alikes out of what `unicode-security` knows, with places in one text instead of pointers: the
//! loader writes to every page of a program that holds a pointer, in each process of a server, and that crate's own
//! table is 160 KiB of them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let (mut characters, mut ends, mut shapes) = (String::new(), String::new(), String::new());
    let mut count = 0;
    for character in '\0'..=char::MAX {
        let text = character.to_string();
        let shape: String = skeleton(&text).collect();
        // What decomposes is looked up by its parts.
        if text.nfd().eq([character]) && shape != text {
            shapes.push_str(&shape);
            write!(characters, "{character:?},")?;
            write!(ends, "{},", shapes.len())?;
            count += 1;
        }
    }
    let table = format!(
        "static CHARACTERS: [char; {count}] = [{characters}];\n\
         static ENDS: [u16; {count}] = [{ends}];\n\
         static SHAPES: &str = {shapes:?};\n"
    );
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("look_alikes.rs"), table)?;
    Ok(())
}
