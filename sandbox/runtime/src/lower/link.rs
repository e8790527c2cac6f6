//! Whether what the files of a tool import from one another is exported there.
//!
//! The engine finds that out too, but cannot say where.

use std::collections::{HashMap, HashSet};

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingIdentifier, BindingPattern, Declaration, ExportSpecifier, ImportDeclaration,
    ImportDeclarationSpecifier, ImportOrExportKind, Program, Statement, StringLiteral,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::GetSpan as _;

use super::{files::Files, finding::Finding};
use crate::Language;

/// What one module wants of others and has for them.
#[derive(Debug, Default)]
pub(super) struct Links {
    wanted: Vec<Wanted>,
    exports: HashMap<String, Export>,
    /// Modules all of whose exports are exported here too.
    stars: Vec<String>,
}

/// One name imported from another module.
#[derive(Debug)]
struct Wanted {
    at: u32,
    from: String,
    name: String,
}

/// Where an exported name comes from.
#[derive(Debug)]
enum Export {
    Here,
    /// Another module exports it, maybe under another name.
    There {
        from: String,
        name: String,
    },
}

/// Replaces what every import in `program`, the module at `path`, says by the path of the file it means; whether there
/// was any.
pub(super) fn name_files<'a>(
    program: &mut Program<'a>,
    allocator: &'a Allocator,
    files: Files<'_>,
    path: &str,
) -> bool {
    let mut any = false;
    for statement in &mut program.body {
        let source = match statement {
            Statement::ImportDeclaration(import) if is_value(import.import_kind) => &mut import.source,
            Statement::ExportFromDeclaration(export) if is_value(export.export_kind) => &mut export.source,
            Statement::ExportAllDeclaration(export) if is_value(export.export_kind) => &mut export.source,
            _ => continue,
        };
        any = true;
        if let Ok(file) = files.resolve(path, &source.value) {
            let StringLiteral { value, raw, .. } = source;
            *value = allocator.alloc_str(file).into();
            *raw = None;
        }
    }
    any
}

impl Links {
    /// Reads them off a lowered module whose imports say paths.
    pub(super) fn of(program: &Program<'_>) -> Self {
        let mut links = Self::default();
        for statement in &program.body {
            links.add(statement);
        }
        links
    }

    fn add(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::ImportDeclaration(import) => self.import(import),
            Statement::ExportFromDeclaration(export) => {
                for specifier in export.specifiers.iter().filter(|specifier| is_value(specifier.export_kind))
                {
                    self.forward(&export.source.value, specifier);
                }
            }
            Statement::ExportAllDeclaration(export) => match &export.exported {
                Some(name) => self.has(name.name().as_str()),
                None => self.stars.push(export.source.value.to_string()),
            },
            Statement::ExportDefaultDeclaration(_) => self.has("default"),
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    self.has(specifier.exported.name().as_str());
                }
            }
            Statement::ExportDeclaration(export) => self.declare(&export.declaration),
            _ => {}
        }
    }

    fn import(&mut self, import: &ImportDeclaration<'_>) {
        for specifier in import.specifiers.iter().flatten() {
            let name = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => named.imported.name().to_string(),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => "default".to_owned(),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => continue,
            };
            let from = import.source.value.to_string();
            self.wanted.push(Wanted { at: specifier.span().start, from, name });
        }
    }

    fn forward(&mut self, from: &str, specifier: &ExportSpecifier<'_>) {
        let (from, name) = (from.to_owned(), specifier.local.name().to_string());
        self.wanted.push(Wanted { at: specifier.span.start, from: from.clone(), name: name.clone() });
        self.exports.insert(specifier.exported.name().to_string(), Export::There { from, name });
    }

    fn declare(&mut self, declaration: &Declaration<'_>) {
        match declaration {
            Declaration::VariableDeclaration(variables) => {
                for variable in &variables.declarations {
                    self.bind(&variable.id);
                }
            }
            Declaration::FunctionDeclaration(function) => {
                if let Some(id) = &function.id {
                    self.has(&id.name);
                }
            }
            Declaration::ClassDeclaration(class) => {
                if let Some(id) = &class.id {
                    self.has(&id.name);
                }
            }
            // Erased, or lowered to one of the above.
            _ => {}
        }
    }

    fn bind(&mut self, pattern: &BindingPattern<'_>) {
        struct Names<'l>(&'l mut Links);
        impl<'a> Visit<'a> for Names<'_> {
            fn visit_binding_identifier(&mut self, identifier: &BindingIdentifier<'a>) {
                self.0.has(&identifier.name);
            }
            fn visit_binding_pattern(&mut self, pattern: &BindingPattern<'a>) {
                walk::walk_binding_pattern(self, pattern);
            }
            // A default value declares nothing out here.
            fn visit_expression(&mut self, _: &oxc_ast::ast::Expression<'a>) {}
        }
        Names(self).visit_binding_pattern(pattern);
    }

    fn has(&mut self, name: &str) {
        self.exports.insert(name.to_owned(), Export::Here);
    }
}

/// What every module wants but does not get, with the module's number.
pub(super) fn unmet(language: Language, modules: &[(&str, Links)]) -> Vec<(usize, Finding)> {
    let by_path: HashMap<&str, &Links> = modules.iter().map(|(path, links)| (*path, links)).collect();
    let advice = match language {
        Language::TypeScript => ". If it is a type, write `import type` or `export type`",
        Language::JavaScript => "",
    };
    let mut unmet = Vec::new();
    for (number, (_, links)) in modules.iter().enumerate() {
        for Wanted { at, from, name } in &links.wanted {
            if !is_exported(&by_path, from, name) {
                unmet.push((number, Finding::new(*at, missing(&by_path, from, name) + advice)));
            }
        }
    }
    unmet
}

/// Whether the module at `path` exports `name`, itself or through others.
fn is_exported(modules: &HashMap<&str, &Links>, path: &str, name: &str) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(path, name)];
    while let Some((path, name)) = open.pop() {
        if !seen.insert((path, name)) {
            continue;
        }
        let Some(links) = modules.get(path) else { continue };
        match links.exports.get(name) {
            Some(Export::Here) => return true,
            Some(Export::There { from, name }) => open.push((from, name)),
            None if name == "default" => {}
            None => open.extend(links.stars.iter().map(|star| (star.as_str(), name))),
        }
    }
    false
}

fn missing(modules: &HashMap<&str, &Links>, path: &str, name: &str) -> String {
    let mut names: Vec<_> = modules.get(path).into_iter().flat_map(|links| links.exports.keys()).collect();
    names.sort_unstable();
    let shown: Vec<_> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    let exports = match shown.len() {
        0 => "nothing".to_owned(),
        count if count < names.len() => format!("{} and more", shown.join(", ")),
        _ => shown.join(", "),
    };
    format!("`{path}` does not export `{name}`; it exports {exports}")
}

fn is_value(kind: ImportOrExportKind) -> bool {
    kind == ImportOrExportKind::Value
}

/// Most exports named in a message.
const NAMES_MAX: usize = 12;
