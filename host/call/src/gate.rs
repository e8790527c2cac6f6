//! The gate: reach, lookup, access, deadline, input. The only place that makes an [`Admitted`].
//!
//! ```compile_fail
//! // A call cannot be admitted by hand.
//! let forged = alknet_call::Admitted { input: serde_json::Value::Null, scope: unreachable!() };
//! ```

use std::sync::Arc;

use serde_json::{Value, json};

use crate::authority::{Denied, Permit};
use crate::call::Tree;
use crate::door::Door;
use crate::scope::CallScope;
use crate::{
    CallError, Caller, ErrorCode, IdentityRates, LayerKind, Limits, OpName, OperationSpec, Registration,
    Visibility,
};

/// A call that passed every check. Handlers take nothing else.
#[derive(Debug)]
pub struct Admitted {
    input: Value,
    scope: CallScope,
}

impl Admitted {
    /// The input, which fits the operation's schema.
    #[must_use]
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// The scope of the call.
    #[must_use]
    pub fn scope(&self) -> &CallScope {
        &self.scope
    }

    /// Input and scope.
    #[must_use]
    pub fn into_parts(self) -> (Value, CallScope) {
        (self.input, self.scope)
    }

    /// Joins what the gate has checked with the scope the dispatcher made for it.
    pub(crate) fn enter(checked: Checked, scope: CallScope) -> Self {
        let Checked { input, permit: Permit { .. } } = checked;
        Self { input, scope }
    }
}

/// A name that was reached and found.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) layer: LayerKind,
    pub(crate) registration: Arc<Registration>,
}

/// An input that may enter a resolved operation.
#[derive(Debug)]
pub(crate) struct Checked {
    input: Value,
    permit: Permit,
}

impl Checked {
    pub(crate) fn input(&self) -> &Value {
        &self.input
    }
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The text is no operation name.
    NoName,
    /// Outside of what the caller may name, or Internal for a peer.
    OutOfReach,
    /// No layer has it.
    Absent,
    /// The caller's grants do not suffice.
    Denied(Denied),
    /// The tree's deadline has passed.
    Late,
    /// The tree is nested too deeply.
    TooDeep(u32),
    /// The tree has made too many calls.
    TooMany(u32),
    /// The root call is over; what outlives it begins nothing new.
    Over,
    /// The caller begins calls faster than it may.
    Rate,
    /// The operation is not of a kind that can be called this way.
    Kind,
    /// The input fails its schema, at these places.
    Input(Vec<crate::Violation>),
}

/// May the caller name it, and who answers to the name? A peer names External operations of the curated layer,
/// a composer what its reach allows. Absent and out of reach are the same to the caller.
///
/// The name is any text: every layer holds names only, so that nothing else can be found.
pub(crate) fn resolve(caller: &Caller, tree: &Tree, name: &str) -> Result<Resolved, Refusal> {
    let absent = || if OpName::parse(name).is_ok() { Refusal::Absent } else { Refusal::NoName };
    let (layer, registration) = match caller {
        Caller::Peer(_) => {
            let found = tree.layers.curated.get(name).ok_or_else(absent)?;
            if found.spec().visibility() == Visibility::Internal {
                return Err(Refusal::OutOfReach);
            }
            (LayerKind::Curated, found)
        }
        Caller::Operation(composer) => {
            if !composer.composition.reach().allows_on(&composer.peer, name) {
                return Err(Refusal::OutOfReach);
            }
            tree.layers.lookup(&composer.peer, name).ok_or_else(absent)?
        }
    };
    Ok(Resolved { layer, registration: Arc::clone(registration) })
}

/// May the caller know of it? Discovery shows what this allows, and nothing else of the curated layer.
pub(crate) fn is_visible(caller: &Caller, spec: &OperationSpec) -> bool {
    spec.visibility() == Visibility::External && is_open_to(caller, spec)
}

/// Do the caller's grants suffice for it? Of the operations of peers, which nobody can call from the wire,
/// discovery shows those.
pub(crate) fn is_open_to(caller: &Caller, spec: &OperationSpec) -> bool {
    spec.access_control().check(caller.grants()).is_ok()
}

/// May the caller run it, now, with this input?
pub(crate) fn check(
    caller: &Caller,
    tree: &Tree,
    resolved: &Resolved,
    input: Value,
    terms: &Terms<'_, '_>,
) -> Result<Checked, Refusal> {
    let spec = resolved.registration.spec();
    let permit = spec.access_control().check(caller.grants()).map_err(Refusal::Denied)?;
    let depth = caller.depth();
    let limits = terms.limits;
    if depth == 0 && !terms.rates.is_none_or(|rates| rates.admits(tree.root.identity())) {
        return Err(Refusal::Rate);
    }
    // A root call has no deadline yet, and is not over.
    if depth > 0 && tree.root.is_late() {
        return Err(Refusal::Late);
    }
    if depth > 0 && tree.root.is_over() {
        return Err(Refusal::Over);
    }
    if depth > limits.depth_max {
        return Err(Refusal::TooDeep(limits.depth_max));
    }
    if depth > 0 && !tree.root.count(limits.tree_calls_max) {
        return Err(Refusal::TooMany(limits.tree_calls_max));
    }
    if !spec.input_schema().accepts(&input) {
        return Err(Refusal::Input(spec.input_schema().violations(&input)));
    }
    if !terms.door.takes(spec.kind()) {
        return Err(Refusal::Kind);
    }
    Ok(Checked { input, permit })
}

/// What a call is held to beside its operation's contract.
pub(crate) struct Terms<'a, 'd> {
    pub(crate) limits: &'a Limits,
    pub(crate) door: &'a Door<'d>,
    /// How fast root calls may begin, where they are counted.
    pub(crate) rates: Option<&'a IdentityRates>,
}

impl Refusal {
    /// The class that audit records show.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::NoName => "no_name",
            Self::OutOfReach => "out_of_reach",
            Self::Absent => "absent",
            Self::Denied(Denied::AuthenticationRequired) => "authentication_required",
            Self::Denied(Denied::Scope) => "scope",
            Self::Denied(Denied::Resource) => "resource",
            Self::Late => "deadline",
            Self::TooDeep(_) => "depth",
            Self::TooMany(_) => "tree_calls",
            Self::Over => "over",
            Self::Rate => "rate",
            Self::Kind => "kind",
            Self::Input(_) => "input",
        }
    }

    /// What the caller is told about the operation it named.
    pub(crate) fn into_error(self, name: &str) -> CallError {
        match self {
            Self::NoName | Self::OutOfReach | Self::Absent => CallError::operation_not_found(name),
            Self::Denied(Denied::AuthenticationRequired) => CallError::forbidden("authentication required"),
            Self::Denied(Denied::Scope | Denied::Resource) => {
                CallError::forbidden(format!("not allowed to run {name}"))
            }
            Self::Late => CallError::timeout(),
            Self::TooDeep(max) => CallError::internal(format!("calls are nested more than {max} deep")),
            Self::TooMany(max) => CallError::internal(format!("one call made more than {max} further calls")),
            Self::Over => CallError::internal("the root call is over, nothing new begins below it"),
            Self::Rate => {
                CallError::new("RATE_LIMITED", "calls begin faster than this identity may").retryable(true)
            }
            Self::Kind => CallError::new(
                ErrorCode::INVALID_OPERATION_TYPE,
                format!("{name} is of a kind that cannot be called this way"),
            ),
            Self::Input(violations) => CallError::invalid_input("input failed input_schema validation")
                .with_details(json!({ "violations": crate::schema::places(violations) })),
        }
    }
}
