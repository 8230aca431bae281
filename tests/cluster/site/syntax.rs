//! Facts about the syntax of source files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::visit::Visit;
use syn::{Expr, Pat};

/// `a::b` of an expression that is a path.
pub fn path_of(expression: &Expr) -> Option<String> {
    let Expr::Path(path) = expression else { return None };
    let names: Vec<String> = path
        .path
        .segments
        .iter()
        .map(|part| part.ident.to_string())
        .collect();
    Some(names.join("::"))
}

/// The name that a pattern binds.
pub fn name_of(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(name) => Some(name.ident.to_string()),
        Pat::Type(typed) => name_of(&typed.pat),
        _ => None,
    }
}

/// The arguments of a macro that are expressions.
pub fn arguments(call: &syn::Macro) -> Vec<Expr> {
    let parser = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
    call.parse_body_with(parser)
        .map(|list| list.into_iter().collect())
        .unwrap_or_default()
}

/// A format with `…` in place of values.
pub fn with_gaps(format: &str) -> String {
    let (mut text, mut rest) = (
        String::new(),
        format.replace("{{", "\u{1}").replace("}}", "\u{2}"),
    );
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        text.push('…');
        rest = after
            .split_once('}')
            .map(|(_, after)| after.to_owned())
            .unwrap_or_default();
    }
    text.push_str(&rest);
    text.replace('\u{1}', "{").replace('\u{2}', "}")
}

/// The names of the arguments that are texts; an empty name for any other.
pub fn parameters(signature: &syn::Signature) -> Vec<String> {
    let is_text = |kind: &syn::Type| {
        let names = ["str", "String", "Into", "Cow", "FnMut", "FnOnce"];
        struct Names(Vec<String>);
        impl<'a> Visit<'a> for Names {
            fn visit_ident(&mut self, name: &'a syn::Ident) {
                self.0.push(name.to_string());
            }
        }
        let mut found = Names(Vec::new());
        found.visit_type(kind);
        found.0.iter().any(|name| names.contains(&name.as_str()))
    };
    let named = signature.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(typed) if is_text(&typed.ty) => Some(name_of(&typed.pat).unwrap_or_default()),
        syn::FnArg::Typed(_) => Some(String::new()),
        syn::FnArg::Receiver(_) => None,
    });
    named.collect()
}

/// Whether code is compiled for tests only.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        _ => false,
    })
}

/// The source files below a folder, without those of tests.
pub fn files(folder: &Path, found: &mut Vec<(String, syn::File)>) {
    for entry in fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("/tests.rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let name = name
                .rsplit_once("/src/")
                .map(|(_, name)| name.to_owned())
                .unwrap_or(name);
            found.push((name, syn::parse_file(&text).expect("Rust")));
        }
    }
}

/// The constants of files by their names.
pub fn constants(files: &[(String, syn::File)]) -> BTreeMap<String, Expr> {
    let items = files.iter().flat_map(|(_, file)| &file.items);
    let constants = items.filter_map(|item| match item {
        syn::Item::Const(constant) => Some((constant.ident.to_string(), (*constant.expr).clone())),
        _ => None,
    });
    constants.collect()
}
