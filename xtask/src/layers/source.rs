//! What the code itself names: paths, methods and identifiers that do not belong in a crate.

use super::Finding;
use super::files::rust_files;
use super::graph::Graph;
use super::house::{CLOCK_METHODS, NO_IO_PATHS, RESERVED, RESERVED_IDENTS, SANS_IO, SANS_IO_CODE, UNSAFE_ONLY_IN};
use super::modules::{follow, for_tests};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use std::path::Path;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Macro, TraitItem, UseTree};

/// Every rule about code, over the whole repository.
pub fn check(root: &Path, graph: &Graph) -> Result<Vec<Finding>, String> {
    let folders: Vec<(&str, &Path)> = graph.members().filter_map(|(name, path)| Some((name, path.parent()?))).collect();
    let mut findings = Vec::new();
    for file in rust_files(root)? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let owner = folders.iter().find(|(_, folder)| file.starts_with(folder)).map_or("no member", |(name, _)| *name);
        findings.extend(everywhere(owner, &shown(root, &file), &text)?);
    }
    for (package, folder) in folders {
        let starts = ["src/lib.rs", "src/main.rs"].map(|name| folder.join(name));
        for start in starts.iter().filter(|start| start.is_file()) {
            for module in follow(start)? {
                findings.extend(shipped(package, &shown(root, &module.path), &module.file));
            }
        }
    }
    Ok(findings)
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// What may stand nowhere in a crate, tests included: `unsafe`, and the names of reserved packages.
fn everywhere(package: &str, place: &str, text: &str) -> Result<Vec<Finding>, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{place}: {error}"))?;
    let mut findings = Vec::new();
    for ident in idents(tokens) {
        let name = ident.to_string();
        let place = || format!("{place}:{}", ident.span().start().line);
        if name == "unsafe" && package != UNSAFE_ONLY_IN {
            let what = format!("`unsafe` outside {UNSAFE_ONLY_IN}");
            findings.push(Finding::new(place(), what, "one crate answers for what the compiler cannot check"));
        }
        for reserved in RESERVED {
            if name == reserved.ident && !reserved.only.contains(&package) {
                let what = format!("`{name}` outside {}", reserved.only.join(", "));
                findings.push(Finding::new(place(), what, reserved.why));
            }
        }
    }
    Ok(findings)
}

/// All identifiers, however deep; `unsafe` inside an attribute (`#[unsafe(no_mangle)]`) counts too.
fn idents(tokens: TokenStream) -> Vec<Ident> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident),
            TokenTree::Group(group) => found.extend(idents(group.stream())),
            _ => {}
        }
    }
    found
}

/// What may not stand in code that ships.
fn shipped(package: &str, place: &str, file: &syn::File) -> Vec<Finding> {
    let mut reader = Reader {
        package,
        place,
        sans_io: SANS_IO.contains(&package) || SANS_IO_CODE.contains(&package),
        findings: Vec::new(),
    };
    reader.visit_file(file);
    reader.findings
}

struct Reader<'a> {
    package: &'a str,
    place: &'a str,
    sans_io: bool,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn find(&mut self, span: Span, what: String, why: &str) {
        self.findings.push(Finding::new(format!("{}:{}", self.place, span.start().line), what, why));
    }

    /// Judges one path, given by its segments.
    fn path(&mut self, segments: &[Ident]) {
        if !self.sans_io {
            return;
        }
        let names: Vec<String> = segments.iter().map(ToString::to_string).collect();
        let Some(first) = segments.first() else { return };
        for banned in NO_IO_PATHS {
            if names.windows(banned.path.len()).any(|window| window == banned.path) {
                self.find(first.span(), format!("`{}`", names.join("::")), banned.why);
            }
        }
    }

    fn ident(&mut self, ident: &Ident) {
        let name = ident.to_string();
        for reserved in RESERVED_IDENTS {
            if name == reserved.ident && !reserved.only.contains(&self.package) {
                self.find(
                    ident.span(),
                    format!("`{name}` outside {} and tests", reserved.only.join(", ")),
                    reserved.why,
                );
            }
        }
    }

    fn method(&mut self, ident: &Ident) {
        if self.sans_io && CLOCK_METHODS.iter().any(|method| ident == method) {
            self.find(ident.span(), format!("`.{ident}()`"), "it reads the clock; time comes in as an argument");
        }
    }

    /// A `use` tree: every leaf is a path, and a rename must not hide `std`.
    fn use_tree(&mut self, tree: &UseTree, before: &mut Vec<Ident>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.clone());
                self.use_tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, before)),
            UseTree::Glob(glob) => {
                if self.sans_io && before.iter().map(ToString::to_string).eq(["std"]) {
                    self.find(glob.star_token.spans[0], "`std::*`".to_owned(), "it would hide what is used");
                }
                self.path(before);
            }
            UseTree::Name(name) => self.leaf(&name.ident, before),
            UseTree::Rename(rename) => {
                let whole = rename.ident == "std" || (rename.ident == "self" && before.iter().any(|i| i == "std"));
                let clock = ["Instant", "SystemTime"].iter().any(|clock| rename.ident == clock);
                if self.sans_io && (whole || clock) {
                    let what = format!("`{} as {}`", rename.ident, rename.rename);
                    self.find(rename.rename.span(), what, "another name would hide what is used");
                }
                self.leaf(&rename.ident, before);
            }
        }
    }

    fn leaf(&mut self, ident: &Ident, before: &mut Vec<Ident>) {
        self.ident(ident);
        before.push(ident.clone());
        self.path(before);
        before.pop();
    }

    /// The inside of a macro call, which is not parsed: paths are idents joined by `::`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<Ident> = Vec::new();
        let mut colons = 0;
        let mut dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(&std::mem::take(&mut path));
                    }
                    self.ident(&ident);
                    if dot {
                        self.method(&ident);
                    }
                    path.push(ident);
                    (colons, dot) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) => {
                    self.path(&std::mem::take(&mut path));
                    (colons, dot) = (0, punct.as_char() == '.');
                }
                TokenTree::Group(group) => {
                    // `std::{fs, net}`: what is inside goes on from what stands before it.
                    if colons == 2 {
                        self.group(&path, group.stream());
                    }
                    self.path(&std::mem::take(&mut path));
                    self.tokens(group.stream());
                    (colons, dot) = (0, false);
                }
                TokenTree::Literal(_) => (colons, dot) = (0, false),
            }
        }
        self.path(&path);
    }

    fn group(&mut self, before: &[Ident], inside: TokenStream) {
        for token in inside {
            if let TokenTree::Ident(ident) = token {
                let mut path = before.to_vec();
                path.push(ident);
                self.path(&path);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(item) => item.attrs.as_slice(),
            ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Fn(item) => item.attrs.as_slice(),
            TraitItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &mut Vec::new());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if self.sans_io && item.ident == "std" && item.rename.is_some() {
            self.find(item.ident.span(), "`extern crate std as`".to_owned(), "another name would hide what is used");
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<Ident> = path.segments.iter().map(|segment| segment.ident.clone()).collect();
        self.path(&segments);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.method(&call.method);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.ident(ident);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_path(self, &call.path);
        self.tokens(call.tokens.clone());
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(package: &str, text: &str) -> Vec<String> {
        let file = syn::parse_file(text).unwrap();
        shipped(package, "x", &file).into_iter().map(|finding| format!("{} {}", finding.place, finding.what)).collect()
    }

    #[track_caller]
    fn refused(text: &str) {
        assert!(!lines("nacre-proto", text).is_empty(), "should be refused: {text}");
        assert_eq!(lines("nacre-net", text), Vec::<String>::new(), "net may: {text}");
    }

    #[track_caller]
    fn allowed(text: &str) {
        assert_eq!(lines("nacre-proto", text), Vec::<String>::new(), "should be allowed: {text}");
    }

    #[test]
    fn io_in_a_state_machine_is_found_however_it_is_written() {
        refused("use std::net::TcpStream;");
        refused("use std::{fmt, fs};");
        refused("use std::{io, net::{self, IpAddr}};");
        refused("use ::std::env as world;");
        refused("fn f() { std::fs::read(\"x\"); }");
        refused("fn f(x: std::net::IpAddr) {}");
        refused("struct S { at: std::net::SocketAddr }");
        refused("fn f() { println!(\"{:?}\", std::env::args()); }");
        refused("fn f() { vec![g(std::fs::read(\"x\"))]; }");
        refused("macro_rules! m { () => { use std::{io, fs}; } }");
        refused("fn f() { std::thread::sleep(d); }");
        refused("mod inner { fn f() { std::process::exit(1); } }");
    }

    #[test]
    fn a_clock_in_a_state_machine_is_found_however_it_is_written() {
        refused("fn f() { std::time::Instant::now(); }");
        refused("use std::time::Instant; fn f() -> Instant { Instant::now() }");
        refused("fn f() { let g = SystemTime::now; }");
        refused("fn f(at: Instant) { at.elapsed(); }");
        refused("fn f(at: Instant) { assert!(at.elapsed() > d); }");
        refused("use std::time::Instant as Moment;");
    }

    #[test]
    fn hiding_the_standard_library_is_found() {
        refused("use std as s;");
        refused("use std::*;");
        refused("extern crate std as s;");
    }

    #[test]
    fn what_a_state_machine_needs_is_allowed() {
        allowed("use std::{collections::VecDeque, fmt, io, time::{Duration, Instant}};");
        allowed("fn f(now: Instant) -> Instant { now + Duration::from_secs(1) }");
        allowed("mod net { pub fn env() {} } fn f() { net::env(); }");
        allowed("// std::net in a comment\nconst A: &str = \"std::fs\";");
    }

    #[test]
    fn tests_may_do_what_they_like() {
        allowed("#[cfg(test)] mod tests { use std::fs; fn f() { Instant::now(); } }");
        allowed("#[test] fn t() { std::fs::read(\"x\"); }");
        allowed("impl S { #[cfg(test)] fn t() { std::fs::read(\"x\"); } }");
    }

    #[test]
    fn the_line_is_given() {
        assert_eq!(lines("nacre-wire", "\n\nuse std::net;"), ["x:3 `std::net`"]);
    }

    #[test]
    fn strict_key_exchange_is_switched_off_only_in_the_lab_and_in_tests() {
        let text = "fn f() { config.dangerous_without_strict_kex(); }";
        assert_eq!(lines("nacre-net", text).len(), 1);
        assert_eq!(lines("nacre", text).len(), 1);
        assert_eq!(lines("nacre-lab", text), Vec::<String>::new());
        assert_eq!(lines("nacre", &format!("#[cfg(test)] mod tests {{ {text} }}")), Vec::<String>::new());
        assert_eq!(lines("nacre", "fn f() { m!(c.dangerous_without_strict_kex()); }").len(), 1);
    }

    #[test]
    fn unsafe_is_found_anywhere_but_in_sys() {
        let count = |package, text| everywhere(package, "x", text).unwrap().len();
        assert_eq!(count("nacre-net", "fn f() { unsafe { g() } }"), 1);
        assert_eq!(count("nacre", "#[cfg(test)] mod tests { unsafe fn f() {} }"), 1);
        assert_eq!(count("xtask", "m! { unsafe impl Send for X {} }"), 1);
        assert_eq!(count("nacre-sys", "fn f() { unsafe { g() } }"), 0);
        assert_eq!(count("nacre-net", "#![deny(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";"), 0);
    }

    #[test]
    fn a_reserved_package_is_found_even_in_tests() {
        let count = |package, text| everywhere(package, "x", text).unwrap().len();
        assert_eq!(count("nacre-testkit", "use aws_lc_rs::digest;"), 1);
        assert_eq!(count("nacre-crypto", "use aws_lc_rs::digest;"), 0);
        assert_eq!(count("nacre-lab", "use ssh_key::PublicKey;"), 1);
    }
}
