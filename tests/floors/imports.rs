//! Which file of a crate imports which other, as its paths say: `use` in all its forms, and paths in code and macros.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, Path, UseTree, Visibility};

/// Names from the root of the crate.
type Names = Vec<String>;

/// Files by their path below `src`, with their text.
pub type Files = BTreeMap<String, String>;

/// One file needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
}

/// The imports of all files. A re-export of what is below a module is none of it, but leads those who use it further.
pub fn imports(files: &Files) -> BTreeSet<Import> {
    let modules: BTreeMap<Names, &String> = files.keys().map(|file| (module_of(file), file)).collect();
    let found: Vec<(&String, Found)> = files
        .iter()
        .map(|(file, text)| {
            let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let mut found = Found::new(module_of(file), &modules);
            found.visit_file(&syntax);
            (file, found)
        })
        .collect();
    let exported: BTreeMap<&Names, &Names> = found.iter().flat_map(|(_, found)| &found.exported).collect();
    let mut imports = BTreeSet::new();
    for (file, found) in &found {
        for path in &found.used {
            if let Some(to) = resolve(path, &modules, &exported).filter(|to| to != *file) {
                imports.insert(Import {
                    from: file.to_string(),
                    to,
                });
            }
        }
    }
    imports
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module_of(file: &str) -> Names {
    let name = file.trim_end_matches(".rs");
    let name = name.strip_suffix("/mod").unwrap_or(name);
    if name == "lib" {
        return Names::new();
    }
    name.split('/').map(str::to_string).collect()
}

/// The file in which a path ends.
fn resolve(
    path: &Names,
    modules: &BTreeMap<Names, &String>,
    exported: &BTreeMap<&Names, &Names>,
) -> Option<String> {
    let mut path = path.clone();
    // Re-exports of re-exports end somewhere.
    for _ in 0..10 {
        let file = (0..=path.len())
            .rev()
            .find(|end| modules.contains_key(&path[..*end]))?;
        let further =
            (file + 1..=path.len()).find_map(|end| Some((end, *exported.get(&path[..end].to_vec())?)));
        match further {
            None => return Some(modules[&path[..file]].clone()),
            Some((end, target)) => path = target.iter().chain(&path[end..]).cloned().collect(),
        }
    }
    None
}

/// What one file says.
struct Found<'m> {
    /// The file's module, with those inside it that are being visited.
    module: Names,
    modules: &'m BTreeMap<Names, &'m String>,
    used: BTreeSet<Names>,
    exported: BTreeMap<Names, Names>,
}

impl<'m> Found<'m> {
    fn new(module: Names, modules: &'m BTreeMap<Names, &'m String>) -> Found<'m> {
        Found {
            module,
            modules,
            used: BTreeSet::new(),
            exported: BTreeMap::new(),
        }
    }

    /// From the root of the crate; None for what is outside of it.
    fn absolute(&self, path: &[String], in_use: bool) -> Option<Names> {
        let mut base = match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "super" | "self" => self.module.clone(),
            first if in_use => {
                let mut child = self.module.clone();
                child.push(first.to_string());
                return self.modules.contains_key(&child).then(|| {
                    child.extend_from_slice(&path[1..]);
                    child
                });
            }
            _ => return None,
        };
        let rest = path.iter().skip_while(|name| *name == "self");
        let ups = rest.clone().take_while(|name| *name == "super").count();
        base.truncate(base.len().checked_sub(ups)?);
        base.extend(rest.skip(ups).cloned());
        Some(base)
    }

    fn note(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path, false) {
            self.used.insert(path);
        }
    }

    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) if !path.is_empty() && colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.note(&std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.note_tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.note(&path);
    }
}

impl<'ast> Visit<'ast> for Found<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        for (path, name) in flat(&item.tree, &Names::new()) {
            let Some(path) = self.absolute(&path, true) else {
                continue;
            };
            if public {
                let mut exported = self.module.clone();
                exported.push(name);
                let below = path.starts_with(&self.module);
                self.exported.insert(exported, path.clone());
                if below {
                    continue;
                }
            }
            self.used.insert(path);
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.note(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.note_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

/// The paths of a `use`, each with the name it gets.
fn flat(tree: &UseTree, before: &Names) -> Vec<(Names, String)> {
    let with = |name: &syn::Ident| {
        before
            .iter()
            .cloned()
            .chain([name.to_string()])
            .collect::<Names>()
    };
    match tree {
        UseTree::Path(path) => flat(&path.tree, &with(&path.ident)),
        UseTree::Name(name) if name.ident == "self" => {
            vec![(before.clone(), before.last().cloned().unwrap_or_default())]
        }
        UseTree::Name(name) => vec![(with(&name.ident), name.ident.to_string())],
        UseTree::Rename(name) if name.ident == "self" => vec![(before.clone(), name.rename.to_string())],
        UseTree::Rename(name) => vec![(with(&name.ident), name.rename.to_string())],
        UseTree::Glob(_) => vec![(before.clone(), "*".to_string())],
        UseTree::Group(group) => group.items.iter().flat_map(|tree| flat(tree, before)).collect(),
    }
}
