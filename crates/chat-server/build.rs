//! Makes the table of emoji's names out of what `emojis` knows, as one text without pointers: the loader writes to every
//! page of a program that holds a pointer, in each process of a server, and that crate's own tables are 450 KiB of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let all = emojis::iter().flat_map(|emoji| std::iter::once(emoji).chain(emoji.skin_tones().into_iter().flatten()));
    let names: BTreeMap<&str, &str> =
        all.map(|emoji| (emoji.as_str(), emoji.shortcode().unwrap_or(emoji.name()))).collect();
    let lines: String = names.iter().map(|(emoji, name)| format!("{emoji}\t{name}\n")).collect();
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("emoji.txt"), lines)?;
    Ok(())
}
