//! Specifications as TypeScript declarations.

use alknet_call::OperationSpec;

use crate::declarations::{Declared, declarations};

/// The declarations of `env` with these operations.
pub(crate) fn of_specs(specs: &[&OperationSpec]) -> String {
    let errors: Vec<Vec<(String, String)>> = specs
        .iter()
        .map(|spec| spec.errors().iter().map(|e| (e.code.clone(), e.description.clone())).collect())
        .collect();
    let declared: Vec<Declared<'_>> = specs
        .iter()
        .zip(&errors)
        .map(|(spec, errors)| Declared {
            name: spec.name().as_str(),
            description: spec.description(),
            input: spec.input_schema().source(),
            output: spec.output_schema().source(),
            errors,
        })
        .collect();
    declarations(&declared)
}
