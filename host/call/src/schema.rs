//! JSON Schemas, compiled once, checked per call.

mod cost;

use std::fmt;
use std::sync::Arc;

use jsonschema::PatternOptions;
use serde_json::{Value, json};

use cost::Cost;

/// A compiled JSON Schema (draft 2020-12 unless it says otherwise). Cheap to clone.
///
/// References are JSON pointers into the schema. Patterns run on a linear-time engine: look-around and back-references
/// are refused. A check that would take too many steps is not begun, and the instance does not fit: so that no schema can
/// make a call slow.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    source: Value,
    validator: jsonschema::Validator,
    cost: Cost,
}

/// A schema that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{pointer}`: {reason}")]
pub struct SchemaError {
    /// JSON pointer to the offending place in the schema.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

/// Where an instance fails its schema; never what it holds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the instance.
    pub pointer: String,
    /// The schema keyword that failed; `cost`, which is none, where checking would take too long.
    pub keyword: String,
}

const DEPTH_MAX: usize = 64;
/// Memory that the compiled patterns of one schema may take together, and that each may whatever the others take.
const PATTERNS_BYTES_MAX: usize = 1 << 20;
const PATTERN_BYTES_MIN: usize = 32 << 10;
const VIOLATIONS_MAX: usize = 8;
const REASON_BYTES_MAX: usize = 300;

impl Schema {
    /// Compiles a schema of at most `bytes_max` bytes of JSON.
    ///
    /// # Errors
    /// [`SchemaError`] when it is no schema, too large, nested too deeply, or refers outside of itself.
    pub fn compile(source: Value, bytes_max: usize) -> Result<Self, SchemaError> {
        let refuse = |reason: String| SchemaError { pointer: String::new(), reason };
        if !source.is_object() && !source.is_boolean() {
            return Err(refuse("a schema is an object or a boolean".to_owned()));
        }
        if depth(&source, DEPTH_MAX).is_none() {
            return Err(refuse(format!("nested more than {DEPTH_MAX} levels deep")));
        }
        let bytes = serde_json::to_vec(&source).map_or(usize::MAX, |text| text.len());
        if bytes > bytes_max {
            return Err(refuse(format!("{bytes} bytes, the limit is {bytes_max}")));
        }
        let cost = cost::survey(&source).map_err(|refused| refuse(refused.to_string()))?;
        let pattern_bytes = (PATTERNS_BYTES_MAX / cost.patterns.max(1)).max(PATTERN_BYTES_MIN);
        let patterns = PatternOptions::regex().size_limit(pattern_bytes).dfa_size_limit(pattern_bytes);
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(patterns)
            .offline()
            .build(&source)
            .map_err(|error| SchemaError {
                pointer: error.instance_path().to_string(),
                // Whoever wrote the schema finds the value by the pointer; errors repeat none.
                reason: truncate(error.masked().to_string()),
            })?;
        Ok(Self(Arc::new(Compiled { source, validator, cost })))
    }

    /// The schema that accepts anything.
    ///
    /// # Panics
    /// Never: the schema is a constant.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a constant schema that every test compiles")]
    pub fn any() -> Self {
        Self::compile(json!({}), usize::MAX).expect("the empty schema compiles")
    }

    /// The schema of a Rust type.
    ///
    /// # Errors
    /// [`SchemaError`] when the generated schema does not compile, which is a defect of the type.
    pub fn of<T: schemars::JsonSchema>() -> Result<Self, SchemaError> {
        let mut source = schemars::schema_for!(T).to_value();
        if let Some(schema) = source.as_object_mut() {
            schema.remove("$schema");
            schema.remove("title");
        }
        Self::compile(source, usize::MAX)
    }

    /// The schema as JSON.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.0.source
    }

    /// Whether an instance fits.
    #[must_use]
    pub fn accepts(&self, instance: &Value) -> bool {
        self.can_check(instance) && self.0.validator.is_valid(instance)
    }

    /// Whether checking an instance takes no more steps than it may.
    fn can_check(&self, instance: &Value) -> bool {
        cost::is_affordable(&self.0.source, self.0.cost, instance)
    }

    /// The first few places where an instance fails.
    #[must_use]
    pub fn violations(&self, instance: &Value) -> Vec<Violation> {
        if !self.can_check(instance) {
            return vec![Violation { pointer: String::new(), keyword: "cost".to_owned() }];
        }
        let violation = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: error.instance_path().to_string(),
            keyword: error.schema_path().to_string().rsplit('/').next().unwrap_or_default().to_owned(),
        };
        self.0.validator.iter_errors(instance).take(VIOLATIONS_MAX).map(violation).collect()
    }
}

/// Violations as the details of errors show them.
pub(crate) fn places(violations: Vec<Violation>) -> Value {
    violations
        .into_iter()
        .map(|violation| json!({"pointer": violation.pointer, "keyword": violation.keyword}))
        .collect()
}

/// The nesting depth, or `None` when it exceeds `left`.
fn depth(value: &Value, left: usize) -> Option<usize> {
    let below = left.checked_sub(1)?;
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Some(1),
    };
    children.into_iter().try_fold(1, |deepest, child| Some(deepest.max(1 + depth(child, below)?)))
}

fn truncate(mut text: String) -> String {
    let mut end = REASON_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0.source)
    }
}
