//! A crate's own modules, followed from its root file as the compiler follows them, so that code
//! that exists for tests only is told apart from code that ships.

use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, File, Item, Lit, Meta, Token};

/// One file of a crate that ships.
pub struct Module {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub file: File,
}

/// The modules below `root` (a `lib.rs` or `main.rs`), without those that only tests compile.
pub fn follow(root: &Path) -> Result<Vec<Module>, String> {
    let folder = root.parent().ok_or_else(|| format!("{} is in no folder", root.display()))?;
    let mut modules = Vec::new();
    read(root, folder, &mut modules)?;
    Ok(modules)
}

fn read(path: &Path, folder: &Path, modules: &mut Vec<Module>) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file = syn::parse_file(&text).map_err(|error| {
        let at = error.span().start();
        format!("{}:{}:{}: {error}", path.display(), at.line, at.column)
    })?;
    let children = declared(&file.items, folder)?;
    modules.push(Module { path: path.to_path_buf(), file });
    for (child, below) in children {
        read(&child, &below, modules)?;
    }
    Ok(())
}

/// The files that `mod name;` stands for among `items`, each with the folder of its own modules.
fn declared(items: &[Item], folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let mut found = Vec::new();
    for item in items {
        let Item::Mod(module) = item else { continue };
        if for_tests(&module.attrs) {
            continue;
        }
        let below = folder.join(module.ident.to_string());
        if let Some((_, inner)) = &module.content {
            found.extend(declared(inner, &below)?);
            continue;
        }
        let candidates = match path_attribute(&module.attrs) {
            Some(path) => vec![folder.join(path)],
            None => vec![below.with_extension("rs"), below.join("mod.rs")],
        };
        let path = candidates.into_iter().find(|path| path.is_file());
        found.push((path.ok_or_else(|| format!("{}: no file for this module", below.display()))?, below));
    }
    Ok(found)
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Whether what bears these attributes is compiled for tests only.
pub fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => list.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta)),
        _ => false,
    })
}

/// Whether a condition holds only where `test` does: `test`, or `all(..)` with such a part.
fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().any(needs_test)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let modules = follow(root).unwrap();
        modules.iter().map(|module| module.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn follows_what_ships_and_leaves_out_what_tests_compile() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod a; #[cfg(test)] mod a_tests; mod inline { mod deep; } #[path = \"odd.rs\"] mod b;");
        write("a.rs", "mod below; #[cfg(not(test))] mod shipped;");
        write("a/below.rs", "");
        write("a/shipped/mod.rs", "");
        write("a_tests.rs", "not rust at all");
        write("inline/deep.rs", "");
        write("odd.rs", "");
        let found = names(&folder.path().join("lib.rs"));
        assert_eq!(found, ["lib.rs", "a.rs", "below.rs", "mod.rs", "deep.rs", "odd.rs"]);
    }

    #[test]
    fn a_module_without_a_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lib.rs");
        std::fs::write(&root, "mod gone;").unwrap();
        assert!(follow(&root).is_err());
    }

    #[test]
    fn only_conditions_that_need_test_are_for_tests() {
        let judge = |text: &str| {
            let item: syn::ItemMod = syn::parse_str(text).unwrap();
            for_tests(&item.attrs)
        };
        assert!(judge("#[cfg(test)] mod x {}"));
        assert!(judge("#[cfg(all(unix, test))] mod x {}"));
        assert!(!judge("#[cfg(any(unix, test))] mod x {}"));
        assert!(!judge("#[cfg(not(test))] mod x {}"));
        assert!(!judge("#[allow(test)] mod x {}"));
        assert!(!judge("mod x {}"));
    }
}
