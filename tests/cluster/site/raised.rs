//! The messages that the source can send, read from its syntax: `Problem::new` and the like, with the texts that
//! reach them through variables and arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Expr, Lit, Stmt};

use super::syntax::{arguments, constants, files, is_for_tests, name_of, parameters, path_of, with_gaps};

/// Calls that make a message, with the positions of its code and its text.
const MAKERS: [(&str, Option<usize>, usize); 3] = [
    ("Problem::new", Some(0), 1),
    ("Problem::for_notice", None, 0),
    ("Notice::new", None, 0),
];
/// Macros that send one, with the position of its text.
const MACROS: [(&str, usize); 4] = [("error", 0), ("warning", 0), ("notice", 0), ("ereport", 2)];

/// The end of a name that stands for a code, and the texts with `…` in place of values.
pub type Messages = BTreeMap<String, BTreeSet<String>>;

/// What the source can send, and the places whose text cannot be read.
#[derive(Default)]
pub struct Raised {
    pub messages: Messages,
    pub unread: BTreeSet<String>,
}

/// A function or closure that takes a text and makes a message of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Forwarder {
    name: String,
    /// The one file that can call it; None: any.
    file: Option<String>,
    argument: usize,
    code: String,
}

/// What is known inside a function.
#[derive(Default)]
struct Scope {
    name: String,
    is_public: bool,
    parameters: Vec<String>,
    bindings: BTreeMap<String, Vec<Expr>>,
    closures: Vec<(String, Vec<String>)>,
}

struct Reader<'a> {
    file: &'a str,
    /// The type whose functions are read.
    owner: Option<String>,
    scopes: Vec<Scope>,
    /// Names whose values are being read: a name may be bound again to what it was.
    resolving: Vec<String>,
    constants: &'a BTreeMap<String, Expr>,
    forwarders: &'a mut BTreeSet<Forwarder>,
    raised: &'a mut Raised,
}

impl Reader<'_> {
    fn parameter(&mut self, name: &str, code: &str) -> bool {
        for scope in self.scopes.iter().rev() {
            let closures = scope
                .closures
                .iter()
                .map(|(name, parameters)| (name, parameters, false));
            for (owner, parameters, is_public) in
                closures.chain([(&scope.name, &scope.parameters, scope.is_public)])
            {
                if let Some(argument) = parameters.iter().position(|known| known == name) {
                    let file = (!is_public).then(|| self.file.to_owned());
                    let forwarder = Forwarder {
                        name: owner.clone(),
                        file,
                        argument,
                        code: code.to_owned(),
                    };
                    self.forwarders.insert(forwarder);
                    return true;
                }
            }
        }
        false
    }

    /// The name of a code; empty if it is that of another error.
    fn code(&self, code: &Expr) -> String {
        let path = path_of(code).unwrap_or_default();
        let bound = self
            .scopes
            .iter()
            .rev()
            .find_map(|scope| scope.bindings.get(&path)?.first());
        let path = bound.and_then(path_of).unwrap_or(path);
        let name = path.rsplit("::").next().unwrap_or_default();
        if name.starts_with("ERRCODE_") {
            name.to_owned()
        } else {
            String::new()
        }
    }

    fn is_parameter(&self, name: &str) -> bool {
        self.scopes
            .last()
            .is_some_and(|scope| scope.parameters.iter().any(|known| known == name))
    }

    /// Records the texts that an expression can have.
    fn read(&mut self, text: &Expr, code: &str) {
        match text {
            Expr::Lit(literal) => {
                if let Lit::Str(text) = &literal.lit {
                    self.add(text.value(), code);
                }
            }
            Expr::Macro(call) if call.mac.path.is_ident("format") => match arguments(&call.mac).first() {
                Some(format) => self.read(format, code),
                None => self.unread(),
            },
            Expr::Reference(inner) => self.read(&inner.expr, code),
            Expr::Paren(inner) => self.read(&inner.expr, code),
            Expr::MethodCall(call)
                if ["into", "to_string", "to_owned", "clone"]
                    .iter()
                    .any(|name| call.method == name) =>
            {
                self.read(&call.receiver, code);
            }
            Expr::If(choice) => {
                self.read_block(&choice.then_branch, code);
                if let Some((_, other)) = &choice.else_branch {
                    self.read(other, code);
                }
            }
            Expr::Match(choice) => choice.arms.iter().for_each(|arm| self.read(&arm.body, code)),
            Expr::Block(block) => self.read_block(&block.block, code),
            // The body of a function that is given to make the text, and the call of such a function.
            Expr::Closure(maker) => self.read(&maker.body, code),
            Expr::Call(call) if path_of(&call.func).is_some_and(|name| self.is_parameter(&name)) => {
                self.read(&call.func, code)
            }
            Expr::Return(_) => {}
            Expr::Path(_) => {
                let name = path_of(text).unwrap_or_default();
                let bound = self
                    .scopes
                    .iter()
                    .rev()
                    .find_map(|scope| scope.bindings.get(&name).cloned());
                if let Some(values) = bound.filter(|_| !self.resolving.contains(&name)) {
                    self.resolving.push(name);
                    values.iter().for_each(|value| self.read(value, code));
                    self.resolving.pop();
                } else if let Some(value) = self.constants.get(&name).cloned() {
                    self.read(&value, code);
                } else if !self.parameter(&name, code) {
                    self.unread();
                }
            }
            _ => self.unread(),
        }
    }

    fn read_block(&mut self, block: &syn::Block, code: &str) {
        match block.stmts.last() {
            Some(Stmt::Expr(value, None)) => self.read(value, code),
            Some(Stmt::Expr(Expr::Return(_), Some(_))) => {}
            _ => self.unread(),
        }
    }

    fn add(&mut self, text: String, code: &str) {
        let texts = self.raised.messages.entry(code.to_owned()).or_default();
        texts.insert(with_gaps(&text));
    }

    fn unread(&mut self) {
        let function = self
            .scopes
            .last()
            .map(|scope| scope.name.clone())
            .unwrap_or_default();
        self.raised.unread.insert(format!("{} {function}", self.file));
    }

    fn function(&mut self, signature: &syn::Signature, visibility: &syn::Visibility, block: &syn::Block) {
        let is_method = matches!(signature.inputs.first(), Some(syn::FnArg::Receiver(_)));
        let owner = self.owner.as_ref().filter(|_| !is_method);
        let name = signature.ident.to_string();
        self.scopes.push(Scope {
            name: owner.map(|owner| format!("{owner}::{name}")).unwrap_or(name),
            is_public: !matches!(visibility, syn::Visibility::Inherited),
            parameters: parameters(signature),
            ..Scope::default()
        });
        visit::visit_block(self, block);
        self.scopes.pop();
    }

    /// What functions called so make messages of.
    fn known(&self, name: &str) -> Vec<Forwarder> {
        if self.is_parameter(name) {
            return Vec::new();
        }
        let known: Vec<&Forwarder> = self
            .forwarders
            .iter()
            .filter(|known| known.name == name)
            .collect();
        // A private function is seen by its file, and by the files of the modules in it.
        let sees = |file: &str| {
            let folder = file.trim_end_matches(".rs").trim_end_matches("mod");
            self.file == file
                || self
                    .file
                    .starts_with(&format!("{}/", folder.trim_end_matches('/')))
        };
        let here: Vec<&Forwarder> = known
            .iter()
            .copied()
            .filter(|known| known.file.as_deref().is_some_and(sees))
            .collect();
        let public = known.into_iter().filter(|known| known.file.is_none());
        if here.is_empty() {
            public.cloned().collect()
        } else {
            here.into_iter().cloned().collect()
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.owner = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|part| part.ident.to_string()),
            _ => None,
        };
        visit::visit_item_impl(self, item);
        self.owner = None;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.vis, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.vis, &item.block);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (Some(name), Some(init), Some(scope)) =
            (name_of(&local.pat), &local.init, self.scopes.last_mut())
        {
            if let Expr::Closure(closure) = &*init.expr {
                let parameters = closure
                    .inputs
                    .iter()
                    .map(|input| name_of(input).unwrap_or_default());
                scope.closures.push((name, parameters.collect()));
            } else {
                scope.bindings.entry(name).or_default().push((*init.expr).clone());
            }
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Some(path) = path_of(&call.func) {
            let end = |names: usize| {
                let parts: Vec<&str> = path.split("::").collect();
                parts[parts.len().saturating_sub(names)..].join("::")
            };
            for (maker, code, text) in MAKERS {
                if end(2) == maker {
                    let code = match code.and_then(|position| call.args.get(position)) {
                        Some(code) => self.code(code),
                        None => "ERRCODE_SUCCESSFUL_COMPLETION".to_owned(),
                    };
                    if let Some(text) = call.args.get(text) {
                        self.read(text, &code);
                    }
                }
            }
            let of_type = end(2).starts_with(|c: char| c.is_ascii_uppercase());
            let name = if of_type { end(2) } else { end(1) };
            let name = name.replace(
                "Self::",
                &format!("{}::", self.owner.as_deref().unwrap_or("Self")),
            );
            for forwarder in self.known(&name) {
                if let Some(text) = call.args.get(forwarder.argument) {
                    self.read(text, &forwarder.code);
                }
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        for forwarder in self.known(&call.method.to_string()) {
            if let Some(text) = call.args.get(forwarder.argument) {
                self.read(text, &forwarder.code);
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call
            .path
            .segments
            .last()
            .map(|part| part.ident.to_string())
            .unwrap_or_default();
        let arguments = arguments(call);
        for (known, text) in MACROS {
            if name == known {
                let code = match known {
                    "error" => "ERRCODE_INTERNAL_ERROR".to_owned(),
                    "ereport" => arguments.get(1).map(|code| self.code(code)).unwrap_or_default(),
                    "warning" => "ERRCODE_WARNING".to_owned(),
                    _ => "ERRCODE_SUCCESSFUL_COMPLETION".to_owned(),
                };
                if let Some(text) = arguments.get(text) {
                    self.read(text, &code);
                }
            }
        }
        // Arguments of other macros are ordinary expressions: assert!, matches! and the like.
        arguments.iter().for_each(|argument| self.visit_expr(argument));
    }
}

/// Everything that the files below a folder can send.
pub fn raised(source: &Path) -> Raised {
    let mut found = Vec::new();
    files(source, &mut found);
    let constants = constants(&found);
    let mut forwarders = BTreeSet::new();
    // Once more while functions are found that take a text and make a message of it.
    loop {
        let before = forwarders.clone();
        let mut raised = Raised::default();
        for (name, file) in found.iter().filter(|(name, _)| !name.starts_with("error/")) {
            let mut reader = Reader {
                file: name,
                owner: None,
                scopes: Vec::new(),
                resolving: Vec::new(),
                constants: &constants,
                forwarders: &mut forwarders,
                raised: &mut raised,
            };
            reader.visit_file(file);
        }
        if forwarders == before {
            return raised;
        }
    }
}
