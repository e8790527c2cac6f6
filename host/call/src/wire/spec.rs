//! Specifications as discovery answers them, and as peers announce them (call.md section 15).

use alknet_core::{InvalidName, Scope};
use serde::Deserialize;
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

/// Why a peer's specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A member is missing or of another type.
    #[error("no specification: {0}")]
    Shape(String),
    /// The name breaks the grammar.
    #[error(transparent)]
    Name(#[from] InvalidOpName),
    /// The kind is none that the protocol knows.
    #[error("`op_type` is one of query, mutation, sub, pub")]
    Kind,
    /// A scope breaks the grammar.
    #[error("`access_control`: {0}")]
    Scope(#[from] InvalidName),
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

/// A specification as a peer sends it. Members that this host does not know are ignored.
#[derive(Deserialize)]
struct SpecJson {
    name: String,
    op_type: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Option<Value>,
    #[serde(default)]
    output_schema: Option<Value>,
    #[serde(default)]
    publish_schema: Option<Value>,
    #[serde(default)]
    error_schemas: Vec<Map<String, Value>>,
    #[serde(default)]
    access_control: Option<Map<String, Value>>,
    #[serde(default)]
    channel_open: bool,
}

#[derive(Deserialize)]
struct ErrorJson {
    code: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    schema: Option<Value>,
    #[serde(default)]
    http_status: Option<u16>,
}

#[derive(Deserialize)]
struct AccessJson {
    #[serde(default)]
    required_scopes: Vec<String>,
    #[serde(default)]
    required_scopes_any: Option<Vec<String>>,
    #[serde(default)]
    resource_type: Option<String>,
    #[serde(default)]
    resource_action: Option<String>,
}

/// Reads a peer's specification, of at most `bytes_max` bytes. Its visibility is not read: what is imported is
/// Internal.
pub(crate) fn spec_from_json(spec: Value, bytes_max: usize) -> Result<OperationSpec, ImportError> {
    if serde_json::to_vec(&spec).map_or(usize::MAX, |text| text.len()) > bytes_max {
        return Err(ImportError::TooLarge(bytes_max));
    }
    let Value::Object(members) = spec else {
        return Err(ImportError::Shape("it is an object".to_owned()));
    };
    let spec: SpecJson = read_members(members)?;
    if spec.channel_open {
        return Err(ImportError::Marked);
    }
    let name = spec.name.strip_prefix('/').unwrap_or(&spec.name);
    let kind = OperationKind::from_wire(&spec.op_type).ok_or(ImportError::Kind)?;
    let mut read = OperationSpec::new(OpName::parse(name)?, kind)
        .input(schema("input_schema", spec.input_schema, bytes_max)?)
        .output(schema("output_schema", spec.output_schema, bytes_max)?);
    if let Some(publish) = spec.publish_schema {
        read = read.publish(schema("publish_schema", Some(publish), bytes_max)?);
    }
    if let Some(description) = spec.description {
        read = read.describe(&description);
    }
    for error in spec.error_schemas {
        let ErrorJson { code, description, schema: details, http_status } = read_members(error)?;
        let details = schema("error_schemas", details, bytes_max)?;
        read = read.raises_with(ErrorSpec { code, description, details, http_status })?;
    }
    let access_control = match spec.access_control {
        Some(members) => access(read_members(members)?)?,
        None => AccessControl::default(),
    };
    Ok(read.access(access_control))
}

/// Reads members by their names. From a value serde would take an array for them as well, and an empty one for an
/// access control that lets everybody in.
fn read_members<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, ImportError> {
    T::deserialize(members).map_err(|error| ImportError::Shape(error.to_string()))
}

fn schema(member: &'static str, source: Option<Value>, bytes_max: usize) -> Result<Schema, ImportError> {
    match source {
        None | Some(Value::Null) => Ok(Schema::any()),
        Some(source) => {
            Schema::compile(source, bytes_max).map_err(|error| ImportError::Schema { member, error })
        }
    }
}

fn access(access: AccessJson) -> Result<AccessControl, InvalidName> {
    let scopes = |names: Vec<String>| names.iter().map(|name| Scope::parse(name)).collect::<Result<_, _>>();
    Ok(AccessControl {
        required_scopes: scopes(access.required_scopes)?,
        required_scopes_any: scopes(access.required_scopes_any.unwrap_or_default())?,
        resource_type: access.resource_type,
        resource_action: access.resource_action,
    })
}
