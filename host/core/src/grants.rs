//! What a principal holds: scopes, and actions per resource type.

use std::collections::{BTreeMap, BTreeSet};

use crate::Scope;

/// Scopes and resource actions held by an identity or by a composition authority.
///
/// Grants only ever shrink: [`Grants::intersect`] is the one way to derive grants from other grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    scopes: BTreeSet<Scope>,
    resources: BTreeMap<String, BTreeSet<String>>,
}

impl Grants {
    /// Grants with these scopes and no resources.
    pub fn from_scopes(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { scopes: scopes.into_iter().collect(), resources: BTreeMap::new() }
    }

    /// Adds a scope.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.insert(scope);
        self
    }

    /// Adds an action on a resource type.
    #[must_use]
    pub fn with_resource(mut self, resource_type: &str, action: &str) -> Self {
        self.resources.entry(resource_type.to_owned()).or_default().insert(action.to_owned());
        self
    }

    /// The scopes, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter()
    }

    /// The resource types with their actions, in order.
    pub fn resources(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.resources.iter().map(|(kind, actions)| (kind.as_str(), actions.iter().map(String::as_str)))
    }

    /// Whether the scope is held, by exact string.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether the action is held on the resource type; `None` asks for any type or any action.
    #[must_use]
    pub fn has_resource(&self, resource_type: Option<&str>, action: Option<&str>) -> bool {
        let holds = |actions: &BTreeSet<String>| action.map_or(!actions.is_empty(), |a| actions.contains(a));
        match resource_type {
            Some(kind) => self.resources.get(kind).is_some_and(holds),
            None => self.resources.values().any(holds),
        }
    }

    /// What both hold: scopes, and actions per resource type.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let scopes = self.scopes.intersection(&other.scopes).cloned().collect();
        let resources = self.resources.iter().filter_map(|(kind, mine)| {
            let both: BTreeSet<String> = mine.intersection(other.resources.get(kind)?).cloned().collect();
            (!both.is_empty()).then(|| (kind.clone(), both))
        });
        Self { scopes, resources: resources.collect() }
    }

    /// Whether everything held here is also held by `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.intersect(other) == *self
    }
}
