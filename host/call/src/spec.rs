//! What an operation promises: name, kind, schemas, errors and access control.

use alknet_core::Scope;
use serde_json::Value;

use crate::{AccessControl, InvalidOpName, OpName, Schema, SchemaError};

/// How an operation is called and how it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Reads; one answer.
    Query,
    /// Changes something; one answer.
    Mutation,
    /// A stream of answers.
    Subscription,
    /// A stream of inputs, one answer.
    Publication,
}

/// Who may name an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Callable from the wire and listed.
    External,
    /// Reachable by composition only; the wire cannot tell it from an absent one.
    Internal,
}

/// An error an operation may raise beside the protocol's own codes.
#[derive(Debug, Clone)]
pub struct ErrorSpec {
    /// The code; never one of the protocol's.
    pub code: String,
    /// When it is raised, for people.
    pub description: String,
    /// What the error's details look like.
    pub details: Schema,
    /// The HTTP status that gateways answer with.
    pub http_status: Option<u16>,
}

/// The contract of an operation.
#[derive(Debug, Clone)]
pub struct OperationSpec {
    name: OpName,
    kind: OperationKind,
    visibility: Visibility,
    description: Option<String>,
    input: Schema,
    output: Schema,
    publish: Option<Schema>,
    errors: Vec<ErrorSpec>,
    forwards_errors: bool,
    access: AccessControl,
}

/// Why a specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The name breaks the grammar.
    #[error(transparent)]
    Name(#[from] InvalidOpName),
    /// A schema does not compile.
    #[error("{which} schema: {error}")]
    Schema {
        /// Which schema: `input`, `output`, `publish`, or an error code.
        which: String,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// A declared error takes one of the protocol's codes, or is declared twice.
    #[error("error code `{0}` is reserved by the protocol or declared twice")]
    ErrorCode(String),
    /// An error code is no code.
    #[error("an error code is 1 to 64 characters of A-Z 0-9 _ :")]
    ErrorCodeGrammar,
}

impl OperationSpec {
    /// An open, External operation that takes and answers anything; narrow it with the other methods.
    #[must_use]
    pub fn new(name: OpName, kind: OperationKind) -> Self {
        Self {
            name,
            kind,
            visibility: Visibility::External,
            description: None,
            input: Schema::any(),
            output: Schema::any(),
            publish: None,
            errors: Vec::new(),
            forwards_errors: false,
            access: AccessControl::default(),
        }
    }

    /// A query with the schemas of two Rust types.
    ///
    /// # Errors
    /// [`SpecError`] when the name or a schema is not valid.
    pub fn query<I: schemars::JsonSchema, O: schemars::JsonSchema>(name: &str) -> Result<Self, SpecError> {
        Self::typed::<I, O>(name, OperationKind::Query)
    }

    /// A mutation with the schemas of two Rust types.
    ///
    /// # Errors
    /// [`SpecError`] when the name or a schema is not valid.
    pub fn mutation<I: schemars::JsonSchema, O: schemars::JsonSchema>(name: &str) -> Result<Self, SpecError> {
        Self::typed::<I, O>(name, OperationKind::Mutation)
    }

    /// A subscription with the schemas of two Rust types: of its input, and of each item.
    ///
    /// # Errors
    /// [`SpecError`] when the name or a schema is not valid.
    pub fn subscription<I: schemars::JsonSchema, O: schemars::JsonSchema>(
        name: &str,
    ) -> Result<Self, SpecError> {
        Self::typed::<I, O>(name, OperationKind::Subscription)
    }

    /// A publication with the schemas of three Rust types: of its opening input, of each chunk, and of its answer.
    ///
    /// # Errors
    /// [`SpecError`] when the name or a schema is not valid.
    pub fn publication<I: schemars::JsonSchema, C: schemars::JsonSchema, O: schemars::JsonSchema>(
        name: &str,
    ) -> Result<Self, SpecError> {
        let failed = |error| SpecError::Schema { which: "publish".to_owned(), error };
        let publish = Schema::of::<C>().map_err(failed)?;
        Ok(Self::typed::<I, O>(name, OperationKind::Publication)?.publish(publish))
    }

    fn typed<I: schemars::JsonSchema, O: schemars::JsonSchema>(
        name: &str,
        kind: OperationKind,
    ) -> Result<Self, SpecError> {
        let failed = |which: &str| {
            let which = which.to_owned();
            move |error| SpecError::Schema { which, error }
        };
        let input = Schema::of::<I>().map_err(failed("input"))?;
        let output = Schema::of::<O>().map_err(failed("output"))?;
        Ok(Self::new(OpName::parse(name)?, kind).input(input).output(output))
    }

    /// Sets the input schema.
    #[must_use]
    pub fn input(mut self, schema: Schema) -> Self {
        self.input = schema;
        self
    }

    /// Sets the output schema.
    #[must_use]
    pub fn output(mut self, schema: Schema) -> Self {
        self.output = schema;
        self
    }

    /// Sets the schema of a publication's chunks.
    #[must_use]
    pub fn publish(mut self, schema: Schema) -> Self {
        self.publish = Some(schema);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        self.description = Some(text.to_owned());
        self
    }

    /// Hides the operation from the wire.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.visibility = Visibility::Internal;
        self
    }

    pub(crate) fn external(mut self) -> Self {
        self.visibility = Visibility::External;
        self
    }

    /// Sets what callers must hold.
    #[must_use]
    pub fn access(mut self, access: AccessControl) -> Self {
        self.access = access;
        self
    }

    /// Demands one scope of callers.
    #[must_use]
    pub fn requires(self, scope: Scope) -> Self {
        self.access(AccessControl::scope(scope))
    }

    /// Declares an error whose details may be anything.
    ///
    /// # Errors
    /// [`SpecError`] when the code is malformed, reserved or declared already.
    pub fn raises(self, code: &str, description: &str) -> Result<Self, SpecError> {
        self.raises_with(ErrorSpec {
            code: code.to_owned(),
            description: description.to_owned(),
            details: Schema::any(),
            http_status: None,
        })
    }

    /// Declares an error.
    ///
    /// # Errors
    /// [`SpecError`] when the code is malformed, reserved or declared already.
    pub fn raises_with(mut self, error: ErrorSpec) -> Result<Self, SpecError> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b':');
        if error.code.is_empty() || error.code.len() > 64 || !error.code.bytes().all(allowed) {
            return Err(SpecError::ErrorCodeGrammar);
        }
        let reserved = crate::ErrorCode::new(error.code.clone()).is_protocol();
        if reserved || self.declared(&error.code).is_some() {
            return Err(SpecError::ErrorCode(error.code));
        }
        self.errors.push(error);
        Ok(self)
    }

    /// Lets the errors of another operation through, undeclared: for operations whose job is to run the one
    /// their caller names. That operation's own contract has been applied to them already.
    #[must_use]
    pub fn forwards_errors(mut self) -> Self {
        self.forwards_errors = true;
        self
    }

    pub(crate) fn does_forward_errors(&self) -> bool {
        self.forwards_errors
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &OpName {
        &self.name
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// Who may name it.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.visibility
    }

    /// The description, where there is one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The input schema.
    #[must_use]
    pub fn input_schema(&self) -> &Schema {
        &self.input
    }

    /// The output schema.
    #[must_use]
    pub fn output_schema(&self) -> &Schema {
        &self.output
    }

    /// The schema of a publication's chunks; absent, a chunk may be anything.
    #[must_use]
    pub fn publish_schema(&self) -> Option<&Schema> {
        self.publish.as_ref()
    }

    /// The declared errors.
    #[must_use]
    pub fn errors(&self) -> &[ErrorSpec] {
        &self.errors
    }

    /// The declared error with this code.
    #[must_use]
    pub fn declared(&self, code: &str) -> Option<&ErrorSpec> {
        self.errors.iter().find(|error| error.code == code)
    }

    /// The same contract under another name.
    #[must_use]
    pub fn named(mut self, name: OpName) -> Self {
        self.name = name;
        self
    }

    /// What callers must hold.
    #[must_use]
    pub fn access_control(&self) -> &AccessControl {
        &self.access
    }

    /// The specification as `services/schema` answers it (call.md section 15).
    #[must_use]
    pub fn to_json(&self) -> Value {
        crate::wire::spec_to_json(self)
    }
}
