//! Why a call would be allowed or refused: the gate's own answers, rule by rule, without a call.

use std::sync::Arc;

use alknet_core::Identity;
use serde_json::Value;

use crate::call::{Origin, Root, Tree};
use crate::door::Door;
use crate::gate::{self, Refusal, Terms};
use crate::layers::Layers;
use crate::{Answers, Caller, Denied, Dispatcher, OperationSpec};

/// Whether a root call would be admitted, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The rules in the order in which the gate asks them, up to the first that refuses.
    pub rules: Vec<RuleOutcome>,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The rule: `reach`, `access` or `input`.
    pub rule: &'static str,
    /// Whether it lets the call pass.
    pub passed: bool,
    /// Why, in the operator's words. Names what is demanded and held; never repeats an input.
    pub reason: String,
}

impl Explanation {
    /// Whether every rule that was asked lets the call pass.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.rules.iter().all(|rule| rule.passed)
    }
}

impl Dispatcher {
    /// Asks the gate about a root call of an identity; `None` is an anonymous caller. Without an input, its schema
    /// is not asked. Nothing is run, and nothing recorded.
    #[must_use]
    pub fn explain(&self, identity: Option<Identity>, name: &str, input: Option<Value>) -> Explanation {
        let origin = Origin { identity: identity.clone(), ..Origin::default() };
        let (curated, peers) = (Arc::clone(self.curated()), self.peers().snapshot());
        let layers = Layers { curated, peers, session: None };
        let tree = Tree { root: Arc::new(Root::new(origin)), layers, session: None };
        let caller = Caller::Peer(identity);
        let resolved = match gate::resolve(&caller, &tree, name) {
            Ok(resolved) => resolved,
            Err(refusal) => return Explanation { rules: vec![failed("reach", &refusal)] },
        };
        let spec = resolved.registration.spec();
        let mut rules = vec![passed("reach", "the operation is external".to_owned())];
        if let Err(denied) = spec.access_control().check(caller.grants()) {
            rules.push(RuleOutcome { rule: "access", passed: false, reason: denial(denied, &caller, spec) });
            return Explanation { rules };
        }
        rules.push(passed("access", demands(spec)));
        if let Some(input) = input {
            // Items and chunks do not change what an input must be.
            let once = Answers::of(spec.kind()) == Answers::Once;
            let terms = Terms { limits: self.limits(), door: &Door::Once, rates: None };
            rules.push(match gate::check(&caller, &tree, &resolved, input, &terms) {
                Ok(_) => passed("input", "the input fits the schema".to_owned()),
                Err(Refusal::Kind) if !once => passed("input", "the input fits the schema".to_owned()),
                Err(refusal) => failed("input", &refusal),
            });
        }
        Explanation { rules }
    }
}

fn passed(rule: &'static str, reason: String) -> RuleOutcome {
    RuleOutcome { rule, passed: true, reason }
}

fn failed(rule: &'static str, refusal: &Refusal) -> RuleOutcome {
    let reason = match refusal {
        Refusal::Input(violations) => {
            let places = violations.iter().map(|violation| {
                let place =
                    if violation.pointer.is_empty() { "the input itself" } else { &violation.pointer };
                format!("{place} (`{}`)", violation.keyword)
            });
            format!("the input does not fit the schema: {}", places.collect::<Vec<_>>().join(", "))
        }
        other => reason_of(other.class()).to_owned(),
    };
    RuleOutcome { rule, passed: false, reason }
}

/// What a class of refusals, as audit records name it, means.
#[must_use]
pub fn reason_of(class: &str) -> &'static str {
    match class {
        "no_name" => "the text is no operation name: `namespace/operation`",
        "out_of_reach" => "the operation is internal, or outside of what the composer may name",
        "absent" => "there is no operation of this name",
        "authentication_required" => "the operation demands an identity, and the caller has none",
        "scope" => "the caller does not hold a scope that the operation demands",
        "resource" => "the caller does not hold an action on a resource that the operation demands",
        "deadline" => "the deadline of the tree of calls had passed",
        "depth" => "calls were nested too deeply",
        "tree_calls" => "the tree had made too many calls",
        "over" => "the root call was over",
        "rate" => "the caller began calls faster than it may",
        "kind" => "the operation is of a kind that cannot be called this way",
        "input" => "the input does not fit the operation's schema",
        _ => "a rule that this version does not know",
    }
}

/// What an operation demands.
fn demands(spec: &OperationSpec) -> String {
    let access = spec.access_control();
    if access.is_open() {
        return "the operation demands nothing".to_owned();
    }
    let list = |scopes: &[alknet_core::Scope]| {
        scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ")
    };
    let mut demands = Vec::new();
    if !access.required_scopes.is_empty() {
        demands.push(format!("all of {}", list(&access.required_scopes)));
    }
    if !access.required_scopes_any.is_empty() {
        demands.push(format!("one of {}", list(&access.required_scopes_any)));
    }
    if access.resource_type.is_some() || access.resource_action.is_some() {
        let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
        demands.push(format!(
            "`{}` on resource `{}`",
            of(&access.resource_action),
            of(&access.resource_type)
        ));
    }
    format!("the operation demands {}", demands.join(", and "))
}

fn denial(denied: Denied, caller: &Caller, spec: &OperationSpec) -> String {
    let held: Vec<String> = caller
        .grants()
        .into_iter()
        .flat_map(|grants| grants.scopes())
        .map(|scope| format!("`{scope}`"))
        .collect();
    let holds = if held.is_empty() { "no scope".to_owned() } else { held.join(", ") };
    match denied {
        Denied::AuthenticationRequired => format!("{}, and the caller has no identity", demands(spec)),
        Denied::Scope => format!("{}; the caller holds {holds}", demands(spec)),
        Denied::Resource => format!("{}; the caller does not hold that", demands(spec)),
    }
}
