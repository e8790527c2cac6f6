//! Specifications as discovery answers them, and as peers announce them (call.md section 15).

use alknet_core::{InvalidName, Scope};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    AccessControl, ErrorSpec, InvalidOpName, OpName, OperationKind, OperationSpec, Schema, SchemaError,
    SpecError, Visibility,
};

impl OperationKind {
    /// The kind's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "sub",
            Self::Publication => "pub",
        }
    }

    /// The kind with this name on the wire; `subscription` is an older name of `sub`.
    fn from_wire(name: &str) -> Option<Self> {
        Some(match name {
            "query" => Self::Query,
            "mutation" => Self::Mutation,
            "sub" | "subscription" => Self::Subscription,
            "pub" => Self::Publication,
            _ => return None,
        })
    }
}

impl Visibility {
    /// The visibility's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Internal => "internal",
        }
    }
}

pub(crate) fn spec_to_json(spec: &OperationSpec) -> Value {
    let access = spec.access_control();
    let names =
        |scopes: &[Scope]| -> Vec<String> { scopes.iter().map(|scope| scope.as_str().to_owned()).collect() };
    let any = (!access.required_scopes_any.is_empty()).then(|| names(&access.required_scopes_any));
    let mut members = Map::new();
    members.insert("name".to_owned(), json!(spec.name()));
    members.insert("namespace".to_owned(), json!(spec.name().namespace()));
    members.insert("op_type".to_owned(), json!(spec.kind().as_str()));
    members.insert("visibility".to_owned(), json!(spec.visibility().as_str()));
    members.insert("input_schema".to_owned(), spec.input_schema().source().clone());
    members.insert("output_schema".to_owned(), spec.output_schema().source().clone());
    members.insert("error_schemas".to_owned(), spec.errors().iter().map(error_to_json).collect());
    members.insert(
        "access_control".to_owned(),
        json!({
            "required_scopes": names(&access.required_scopes),
            "required_scopes_any": any,
            "resource_type": access.resource_type,
            "resource_action": access.resource_action,
        }),
    );
    if let Some(description) = spec.description() {
        members.insert("description".to_owned(), json!(description));
    }
    if let Some(publish) = spec.publish_schema() {
        members.insert("publish_schema".to_owned(), publish.source().clone());
    }
    Value::Object(members)
}

fn error_to_json(error: &ErrorSpec) -> Value {
    json!({
        "code": error.code,
        "description": error.description,
        "schema": error.details.source(),
        "http_status": error.http_status,
    })
}

/// Errors that an operation of a peer may declare: each has a schema.
const ERRORS_MAX: usize = 64;

/// Why a peer's specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no object, or not the operation that was asked for.
    #[error("no specification: {0}")]
    Shape(&'static str),
    /// A member is missing.
    #[error("no specification: `{0}` is missing")]
    Missing(&'static str),
    /// A member is of another type.
    #[error("no specification: `{0}` is of another type")]
    Type(&'static str),
    /// The name breaks the grammar.
    #[error(transparent)]
    Name(#[from] InvalidOpName),
    /// The kind is none that the protocol knows.
    #[error("`op_type` is one of query, mutation, sub, pub")]
    Kind,
    /// A scope breaks the grammar.
    #[error("`access_control`: {0}")]
    Scope(#[from] InvalidName),
    /// More errors are declared than may be.
    #[error("`error_schemas`: more than {ERRORS_MAX} errors")]
    Errors,
    /// A schema does not compile.
    #[error("`{member}`: {error}")]
    Schema {
        /// The member it stands in.
        member: &'static str,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// An error code is malformed, reserved or declared twice.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The specification is larger than it may be.
    #[error("the specification has more than {0} bytes")]
    TooLarge(usize),
    /// The operation carries binary channels, which this host does not serve.
    #[error("operations with binary channels are not supported")]
    Marked,
}

/// The members of an object that a peer sent. Errors name them and never repeat what they hold.
struct Members(Map<String, Value>);

impl Members {
    /// A member, if it is there and not null. Those that nobody asks for are ignored.
    fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, ImportError> {
        let value = self.0.remove(name).filter(|value| !value.is_null());
        value.map(T::deserialize).transpose().map_err(|_| ImportError::Type(name))
    }

    fn require<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, ImportError> {
        self.take(name)?.ok_or(ImportError::Missing(name))
    }
}

/// Reads a peer's specification, of at most `bytes_max` bytes. Its visibility is not read: what is imported is
/// Internal.
pub(crate) fn spec_from_json(spec: Value, bytes_max: usize) -> Result<OperationSpec, ImportError> {
    if serde_json::to_vec(&spec).map_or(usize::MAX, |text| text.len()) > bytes_max {
        return Err(ImportError::TooLarge(bytes_max));
    }
    let Value::Object(members) = spec else {
        return Err(ImportError::Shape("it is an object"));
    };
    let mut spec = Members(members);
    if spec.take("channel_open")? == Some(true) {
        return Err(ImportError::Marked);
    }
    let (name, kind): (String, String) = (spec.require("name")?, spec.require("op_type")?);
    let kind = OperationKind::from_wire(&kind).ok_or(ImportError::Kind)?;
    let mut read = OperationSpec::new(OpName::parse(name.strip_prefix('/').unwrap_or(&name))?, kind)
        .input(schema("input_schema", spec.take("input_schema")?, bytes_max)?)
        .output(schema("output_schema", spec.take("output_schema")?, bytes_max)?);
    if let Some(publish) = spec.take("publish_schema")? {
        read = read.publish(schema("publish_schema", Some(publish), bytes_max)?);
    }
    if let Some(description) = spec.take::<String>("description")? {
        read = read.describe(&description);
    }
    // Objects by name: for a struct serde would take an array as well, and an empty one for an access control that lets
    // everybody in.
    let errors: Vec<Map<_, _>> = spec.take("error_schemas")?.unwrap_or_default();
    if errors.len() > ERRORS_MAX {
        return Err(ImportError::Errors);
    }
    for error in errors {
        read = read.raises_with(declared_error(Members(error), bytes_max)?)?;
    }
    let access_control = spec.take::<Map<_, _>>("access_control")?;
    let access_control = access_control.map(|members| access(Members(members))).transpose()?;
    Ok(read.access(access_control.unwrap_or_default()))
}

fn declared_error(mut error: Members, bytes_max: usize) -> Result<ErrorSpec, ImportError> {
    Ok(ErrorSpec {
        code: error.require("code")?,
        description: error.take("description")?.unwrap_or_default(),
        details: schema("error_schemas", error.take("schema")?, bytes_max)?,
        http_status: error.take("http_status")?,
    })
}

fn access(mut access: Members) -> Result<AccessControl, ImportError> {
    let mut scopes = |member| -> Result<Vec<Scope>, ImportError> {
        let names = access.take::<Vec<String>>(member)?.unwrap_or_default();
        Ok(names.iter().map(|name| Scope::parse(name)).collect::<Result<_, _>>()?)
    };
    Ok(AccessControl {
        required_scopes: scopes("required_scopes")?,
        required_scopes_any: scopes("required_scopes_any")?,
        resource_type: access.take("resource_type")?,
        resource_action: access.take("resource_action")?,
    })
}

fn schema(member: &'static str, source: Option<Value>, bytes_max: usize) -> Result<Schema, ImportError> {
    match source {
        None => Ok(Schema::any()),
        Some(source) => {
            Schema::compile(source, bytes_max).map_err(|error| ImportError::Schema { member, error })
        }
    }
}
