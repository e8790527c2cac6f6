//! What a tool's module may not contain, beyond syntax.

use oxc_ast::ast::{
    AccessorProperty, ArrowFunctionExpression, AwaitExpression, BindingPattern, ExportAllDeclaration,
    ExportDefaultDeclarationKind, ExportFromDeclaration, Expression, ForOfStatement, Function,
    IdentifierReference, ImportDeclaration, ImportExpression, ImportMeta, ImportOrExportKind,
    ModuleExportName, NumericLiteral, Program, Statement, StringLiteral, TSEnumDeclaration,
    TSExportAssignment, TSImportEqualsDeclaration, TSModuleReference, TemplateElement, VariableDeclaration,
    VariableDeclarationKind, WithClause,
};
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::ScopeFlags;
use oxc_span::{GetSpan as _, Span};

use super::{
    files::Files,
    finding::{FINDINGS_MAX, Finding},
};

/// Where in a tool a module stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) files: Files<'a>,
    /// Path of the module.
    pub(super) path: &'a str,
    /// Its default export is the tool.
    pub(super) is_entry: bool,
}

/// Everything in `program`, the module at `site`, a tool may not contain.
pub(super) fn refusals(program: &Program<'_>, site: Site<'_>) -> Vec<Finding> {
    let mut refusals = Refusals { site, findings: Vec::new(), functions: 0, enums: EnumBytes::default() };
    refusals.visit_program(program);
    if site.is_entry {
        refusals.findings.extend(default_export(program));
    }
    refusals.findings
}

/// Why the module has no function as its default export, if that is plain to see.
fn default_export(program: &Program<'_>) -> Option<Finding> {
    for statement in &program.body {
        let (at, kind) = match statement {
            Statement::ExportDefaultDeclaration(export) => {
                (export.span.start, default_kind(program, &export.declaration))
            }
            Statement::ExportNamedDeclaration(export) if export.export_kind == ImportOrExportKind::Value => {
                let Some(default) = export.specifiers.iter().find(|specifier| {
                    specifier.export_kind == ImportOrExportKind::Value
                        && specifier.exported.name() == "default"
                }) else {
                    continue;
                };
                let kind = match &default.local {
                    ModuleExportName::IdentifierReference(local) => {
                        named_kind(program, &local.name, RENAMES_MAX)
                    }
                    ModuleExportName::IdentifierName(_) | ModuleExportName::StringLiteral(_) => {
                        Some("no function")
                    }
                };
                (default.span.start, kind)
            }
            // What another file exports is known only when it has run.
            Statement::ExportFromDeclaration(export) if exports_default(export) => return None,
            // Already refused, and said so there.
            Statement::TSExportAssignment(_) => return None,
            _ => continue,
        };
        return kind.map(|kind| Finding::new(at, format!("the default export is {kind}. {EXPECTED}")));
    }
    Some(Finding::new(0, format!("the module has no default export. {EXPECTED}")))
}

fn exports_default(export: &ExportFromDeclaration<'_>) -> bool {
    export.export_kind == ImportOrExportKind::Value
        && export.specifiers.iter().any(|specifier| {
            specifier.export_kind == ImportOrExportKind::Value && specifier.exported.name() == "default"
        })
}

/// What the default export is, if it cannot be a function.
fn default_kind(
    program: &Program<'_>,
    declaration: &ExportDefaultDeclarationKind<'_>,
) -> Option<&'static str> {
    match declaration {
        ExportDefaultDeclarationKind::FunctionDeclaration(_) => None,
        ExportDefaultDeclarationKind::ClassDeclaration(_) => Some("a class"),
        ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => Some("an interface"),
        other => other.as_expression().and_then(|value| value_kind(program, value, RENAMES_MAX)),
    }
}

/// What `value` is, if it cannot be a function; names are followed through at most `renames` constants.
fn value_kind(program: &Program<'_>, value: &Expression<'_>, renames: u32) -> Option<&'static str> {
    match value.get_inner_expression() {
        Expression::Identifier(name) => named_kind(program, &name.name, renames),
        Expression::ClassExpression(_) => Some("a class"),
        Expression::ObjectExpression(_) => Some("an object"),
        Expression::ArrayExpression(_) => Some("an array"),
        Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => Some("a string"),
        Expression::NumericLiteral(_) | Expression::BigIntLiteral(_) | Expression::UpdateExpression(_) => {
            Some("a number")
        }
        Expression::BooleanLiteral(_)
        | Expression::NullLiteral(_)
        | Expression::UnaryExpression(_)
        | Expression::BinaryExpression(_)
        | Expression::PrivateInExpression(_)
        | Expression::RegExpLiteral(_) => Some("a plain value"),
        _ => None,
    }
}

/// What the top-level `name` is, if it cannot be a function.
fn named_kind(program: &Program<'_>, name: &str, renames: u32) -> Option<&'static str> {
    for statement in &program.body {
        match statement {
            Statement::ClassDeclaration(class) if class.id.as_ref().is_some_and(|id| id.name == name) => {
                return Some("a class");
            }
            Statement::TSEnumDeclaration(declaration) if declaration.id.name == name => {
                return Some("an enum");
            }
            Statement::VariableDeclaration(variables) if variables.kind == VariableDeclarationKind::Const => {
                let declared = variables.declarations.iter().find(
                    |variable| matches!(&variable.id, BindingPattern::BindingIdentifier(id) if id.name == name),
                );
                if let Some(value) = declared.and_then(|variable| variable.init.as_ref()) {
                    return renames.checked_sub(1).and_then(|left| value_kind(program, value, left));
                }
            }
            _ => {}
        }
    }
    None
}

/// Collects refusals while walking the whole module.
struct Refusals<'s> {
    site: Site<'s>,
    findings: Vec<Finding>,
    /// Functions around the node visited.
    functions: u32,
    enums: EnumBytes,
}

impl Refusals<'_> {
    fn refuse(&mut self, span: Span, message: &str) {
        // More would not be told.
        if self.findings.len() < KEPT_MAX {
            self.findings.push(Finding::new(span.start, message));
        }
    }

    /// Refuses a static import, or export from elsewhere, that names no file of the tool.
    fn check_source(&mut self, source: &StringLiteral<'_>, attributes: Option<&WithClause<'_>>) {
        if self.findings.len() < KEPT_MAX
            && let Err(message) = self.site.files.resolve(self.site.path, &source.value)
        {
            self.refuse(source.span, &message);
        }
        if let Some(attributes) = attributes {
            self.refuse(attributes.span, "import attributes are not supported: every file is a module");
        }
    }

    fn refuse_await(&mut self, span: Span) {
        if self.functions == 0 {
            self.refuse(span, TOP_LEVEL_AWAIT);
        }
    }
}

impl<'a> Visit<'a> for Refusals<'_> {
    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.functions += 1;
        walk::walk_function(self, function, flags);
        self.functions -= 1;
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.functions += 1;
        walk::walk_arrow_function_expression(self, function);
        self.functions -= 1;
    }

    fn visit_await_expression(&mut self, expression: &AwaitExpression<'a>) {
        self.refuse_await(expression.span);
        walk::walk_await_expression(self, expression);
    }

    fn visit_for_of_statement(&mut self, statement: &ForOfStatement<'a>) {
        if statement.r#await {
            self.refuse_await(statement.span);
        }
        walk::walk_for_of_statement(self, statement);
    }

    fn visit_variable_declaration(&mut self, declaration: &VariableDeclaration<'a>) {
        if declaration.kind == VariableDeclarationKind::AwaitUsing {
            self.refuse_await(declaration.span);
        }
        walk::walk_variable_declaration(self, declaration);
    }

    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        if import.import_kind == ImportOrExportKind::Value {
            if import.phase.is_some() {
                self.refuse(import.span, "an import is evaluated at once: write `import … from`");
            }
            self.check_source(&import.source, import.with_clause.as_deref());
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, import: &TSImportEqualsDeclaration<'a>) {
        if matches!(import.module_reference, TSModuleReference::ExternalModuleReference(_)) {
            self.refuse(
                import.span,
                "`import … = require(…)` is not supported. Write `import … from './a.ts'`",
            );
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.refuse(import.span, DYNAMIC_IMPORT);
        walk::walk_import_expression(self, import);
    }

    fn visit_import_meta(&mut self, meta: &ImportMeta) {
        self.refuse(meta.span, "`import.meta` does not exist in a tool");
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'a>) {
        if export.export_kind == ImportOrExportKind::Value {
            self.check_source(&export.source, export.with_clause.as_deref());
        }
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        if export.export_kind == ImportOrExportKind::Value {
            self.check_source(&export.source, export.with_clause.as_deref());
        }
    }

    fn visit_ts_export_assignment(&mut self, export: &TSExportAssignment<'a>) {
        self.refuse(export.span, "`export =` is not supported. Use `export default`");
    }

    fn visit_accessor_property(&mut self, property: &AccessorProperty<'a>) {
        self.refuse(property.span, "`accessor` fields are not supported. Write a getter and a setter");
        walk::walk_accessor_property(self, property);
    }

    fn visit_ts_enum_declaration(&mut self, declaration: &TSEnumDeclaration<'a>) {
        if let Err(span) = self.enums.add(declaration) {
            self.refuse(span, "too many enums, or enum values too long, to be compiled. Use constants");
        }
        walk::walk_ts_enum_declaration(self, declaration);
    }
}

/// Bounds what evaluating enum members can grow to: `B = A + A` doubles, and so on.
#[derive(Debug, Default)]
struct EnumBytes {
    /// No member so far is longer.
    longest: u64,
    /// All members so far are no longer.
    total: u64,
    /// Declarations so far; the compiler looks through all that share a name for each of their members.
    declarations: u32,
}

impl EnumBytes {
    fn add(&mut self, declaration: &TSEnumDeclaration<'_>) -> Result<(), Span> {
        self.declarations += 1;
        if self.declarations > ENUMS_MAX {
            return Err(declaration.span);
        }
        for member in &declaration.body.members {
            let mut value = EnumValue::default();
            if let Some(initializer) = &member.initializer {
                value.visit_expression(initializer);
            }
            let longest = self.longest.max(NUMBER_BYTES_MAX);
            let bytes = value.literals.saturating_add(value.references.saturating_mul(longest));
            self.longest = longest.max(bytes);
            self.total = self.total.saturating_add(bytes);
            if self.total > ENUM_BYTES_MAX {
                return Err(member.span);
            }
        }
        Ok(())
    }
}

/// What one member's value is made of.
#[derive(Debug, Default)]
struct EnumValue {
    literals: u64,
    references: u64,
}

impl<'a> Visit<'a> for EnumValue {
    fn visit_string_literal(&mut self, literal: &StringLiteral<'a>) {
        self.literals += u64::from(literal.span.size());
    }

    fn visit_template_element(&mut self, element: &TemplateElement<'a>) {
        self.literals += u64::from(element.span().size());
    }

    fn visit_numeric_literal(&mut self, _: &NumericLiteral<'a>) {
        self.literals += NUMBER_BYTES_MAX;
    }

    fn visit_identifier_reference(&mut self, _: &IdentifierReference<'a>) {
        self.references += 1;
    }
}

const EXPECTED: &str = "Write the tool as `export default async function (input, env) { … }`";

const DYNAMIC_IMPORT: &str =
    "a tool cannot import while it runs. Write `import … from './a.ts'` at the top of the file";

const TOP_LEVEL_AWAIT: &str = "`await` outside a function: `env` exists only inside the exported function, so await \
     there";

/// Most refusals kept of a file: they are sorted, and then cut, later.
const KEPT_MAX: usize = 10 * FINDINGS_MAX;

/// Constants followed from the default export to its value.
const RENAMES_MAX: u32 = 8;

/// Longest text of a number.
const NUMBER_BYTES_MAX: u64 = 32;

/// Most enum declarations in a module.
const ENUMS_MAX: u32 = 500;

/// Most text all enum values of a module may come to.
const ENUM_BYTES_MAX: u64 = 4 * 1024 * 1024;
