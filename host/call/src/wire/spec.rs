//! Specifications as discovery answers them (call.md section 15).

use serde_json::{Map, Value, json};

use crate::{ErrorSpec, OperationKind, OperationSpec, Visibility};

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
    let names = |scopes: &[alknet_core::Scope]| -> Vec<String> {
        scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
    };
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
