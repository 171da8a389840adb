//! What Cargo resolved: who depends on whom, checked against the house.

use super::Finding;
use super::house::{NO_IO_PACKAGES, ONLY_FOR_TESTS, RESERVED, ROOMS, SANS_IO};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How one package depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In what ships.
    Normal,
    /// At build time.
    Build,
    /// In tests, examples and benches.
    Dev,
}

/// One package.
#[derive(Debug)]
struct Package {
    name: String,
    manifest: PathBuf,
    uses: Vec<(String, Kind)>,
}

/// The packages of a workspace and all they reach, by Cargo's package id.
pub struct Graph {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
}

impl Graph {
    /// Asks Cargo about the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self, String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cargo metadata could not be started: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        Self::parse(&output.stdout)
    }

    /// Reads what `cargo metadata --format-version 1` printed.
    fn parse(json: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(json).map_err(|error| format!("cargo metadata: {error}"))?;
        let mut packages = BTreeMap::new();
        for package in list(&value["packages"])? {
            let manifest = PathBuf::from(text(&package["manifest_path"])?);
            let row = Package { name: text(&package["name"])?, manifest, uses: Vec::new() };
            packages.insert(text(&package["id"])?, row);
        }
        for node in list(&value["resolve"]["nodes"])? {
            let mut uses = Vec::new();
            for dependency in list(&node["deps"])? {
                let target = text(&dependency["pkg"])?;
                for kind in list(&dependency["dep_kinds"])? {
                    uses.push((target.clone(), kind_of(&kind["kind"])?));
                }
            }
            let id = text(&node["id"])?;
            packages.get_mut(&id).ok_or_else(|| format!("cargo metadata: no package {id}"))?.uses = uses;
        }
        let members = list(&value["workspace_members"])?.iter().map(text).collect::<Result<_, _>>()?;
        Ok(Self { packages, members })
    }

    /// The workspace's packages: name and manifest.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.members.iter().filter_map(|id| self.packages.get(id)).map(|p| (p.name.as_str(), p.manifest.as_path()))
    }

    /// Every rule about dependencies.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for id in &self.members {
            let Some(package) = self.packages.get(id) else { continue };
            self.check_room(package, &mut findings);
            self.check_reserved(package, &mut findings);
            if SANS_IO.contains(&package.name.as_str()) {
                self.check_sans_io(id, &mut findings);
            }
        }
        findings
    }

    /// Of our own crates, only those the house allows.
    fn check_room(&self, package: &Package, findings: &mut Vec<Finding>) {
        let Some(room) = ROOMS.iter().find(|room| room.name == package.name) else {
            let why = "every crate has a row in the table of rooms";
            findings.push(Finding::new(&package.name, "a crate the house does not know", why));
            return;
        };
        for (target, kind) in &package.uses {
            let Some(used) = self.packages.get(target).filter(|_| self.members.contains(target)) else { continue };
            let edge = format!("{} -> {}", package.name, used.name);
            let for_tests = ONLY_FOR_TESTS.iter().find(|(name, _)| *name == used.name);
            match for_tests {
                _ if *kind == Kind::Dev => {}
                Some((_, why)) => findings.push(Finding::new(edge, "outside tests", *why)),
                None if room.uses.contains(&used.name.as_str()) => {}
                None => {
                    findings.push(Finding::new(edge, "not allowed", "a crate uses only crates on rows below it"));
                }
            }
        }
    }

    /// Packages that belong to some crates, in dependencies of any kind.
    fn check_reserved(&self, package: &Package, findings: &mut Vec<Finding>) {
        for (target, _) in &package.uses {
            let Some(used) = self.packages.get(target) else { continue };
            for reserved in RESERVED.iter().filter(|reserved| reserved.package == used.name) {
                if !reserved.only.contains(&package.name.as_str()) {
                    let edge = format!("{} -> {}", package.name, used.name);
                    findings.push(Finding::new(edge, format!("only for {}", reserved.only.join(", ")), reserved.why));
                }
            }
        }
    }

    /// Nothing that does I/O, however far down. What build scripts and procedural macros use runs
    /// in the compiler, so only normal edges count, and a procedural macro's own are harmless too,
    /// as none of the forbidden packages is one's dependency in this tree.
    fn check_sans_io(&self, start: &str, findings: &mut Vec<Finding>) {
        for (id, path) in self.reach(start) {
            let Some(package) = self.packages.get(id) else { continue };
            if let Some((_, why)) = NO_IO_PACKAGES.iter().find(|(name, _)| *name == package.name) {
                findings.push(Finding::new(path, "not allowed", *why));
            }
        }
    }

    /// All packages reached from `start` over normal edges, each with one shortest path in words.
    fn reach(&self, start: &str) -> Vec<(&str, String)> {
        let mut seen = BTreeSet::from([start]);
        let mut found = Vec::new();
        let mut queue = VecDeque::from([(start, self.name(start).to_owned())]);
        while let Some((id, path)) = queue.pop_front() {
            for (target, kind) in self.packages.get(id).map(|package| package.uses.as_slice()).unwrap_or_default() {
                if *kind == Kind::Normal && seen.insert(target) {
                    let path = format!("{path} -> {}", self.name(target));
                    found.push((target.as_str(), path.clone()));
                    queue.push_back((target, path));
                }
            }
        }
        found
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.packages.get(id).map_or(id, |package| &package.name)
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| "cargo metadata: a list is missing".to_owned())
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "cargo metadata: a text is missing".to_owned())
}

fn kind_of(value: &Value) -> Result<Kind, String> {
    match value.as_str() {
        None if value.is_null() => Ok(Kind::Normal),
        Some("build") => Ok(Kind::Build),
        Some("dev") => Ok(Kind::Dev),
        _ => Err(format!("cargo metadata: unknown kind of dependency {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of the `members`, with the edges `(from, to, kind)`.
    fn graph(members: &[&str], edges: &[(&str, &str, Option<&str>)]) -> Graph {
        let mut names: BTreeSet<&str> = members.iter().copied().collect();
        names.extend(edges.iter().flat_map(|(from, to, _)| [*from, *to]));
        let packages: Vec<Value> =
            names.iter().map(|name| json!({"id": name, "name": name, "manifest_path": "/x/Cargo.toml"})).collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = edges
                    .iter()
                    .filter(|(from, _, _)| from == name)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let value = json!({"packages": packages, "resolve": {"nodes": nodes}, "workspace_members": members});
        Graph::parse(value.to_string().as_bytes()).unwrap()
    }

    fn places(graph: &Graph) -> Vec<String> {
        graph.check().into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn edges_down_the_house_are_allowed() {
        let graph = graph(
            &["nacre", "nacre-net", "nacre-proto", "nacre-wire", "nacre-testkit"],
            &[
                ("nacre", "nacre-net", None),
                ("nacre-net", "nacre-proto", None),
                ("nacre-net", "tokio", None),
                ("nacre-proto", "nacre-wire", None),
                ("nacre-proto", "nacre-testkit", Some("dev")),
            ],
        );
        assert_eq!(places(&graph), Vec::<String>::new());
    }

    #[test]
    fn an_edge_up_the_house_is_found() {
        let graph = graph(&["nacre-proto", "nacre-net"], &[("nacre-proto", "nacre-net", None)]);
        assert_eq!(places(&graph), ["nacre-proto -> nacre-net"]);
    }

    #[test]
    fn a_build_edge_up_the_house_is_found() {
        let graph = graph(&["nacre-wire", "nacre-sys"], &[("nacre-wire", "nacre-sys", Some("build"))]);
        assert_eq!(places(&graph), ["nacre-wire -> nacre-sys"]);
    }

    #[test]
    fn testkit_outside_tests_is_found() {
        let graph = graph(&["nacre", "nacre-testkit"], &[("nacre", "nacre-testkit", None)]);
        assert_eq!(places(&graph), ["nacre -> nacre-testkit"]);
    }

    #[test]
    fn a_runtime_far_below_a_state_machine_is_found_with_its_path() {
        let edges = [("nacre-wire", "clever", None), ("clever", "tokio", None)];
        assert_eq!(places(&graph(&["nacre-wire"], &edges)), ["nacre-wire -> clever -> tokio"]);
    }

    #[test]
    fn a_runtime_in_a_state_machines_tests_is_allowed() {
        let edges = [("nacre-wire", "tokio", Some("dev")), ("nacre-wire", "cc", Some("build")), ("cc", "libc", None)];
        assert_eq!(places(&graph(&["nacre-wire"], &edges)), Vec::<String>::new());
    }

    #[test]
    fn a_reserved_package_is_found_even_in_tests() {
        let edges = [("nacre-net", "aws-lc-rs", Some("dev")), ("nacre-crypto", "aws-lc-rs", None)];
        assert_eq!(places(&graph(&["nacre-net", "nacre-crypto"], &edges)), ["nacre-net -> aws-lc-rs"]);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert_eq!(places(&graph(&["nacre-extra"], &[])), ["nacre-extra"]);
    }

    #[test]
    fn what_is_not_metadata_is_an_error() {
        assert!(Graph::parse(b"{}").is_err());
        assert!(Graph::parse(b"no json").is_err());
    }
}
