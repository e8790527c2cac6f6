//! Specifications as TypeScript, for those who write against them.

use alknet_call::{Answers, OperationSpec};

use crate::declarations::{self, Declared};

/// The declarations of `env` with these operations.
pub(crate) fn of_specs(specs: &[&OperationSpec]) -> String {
    let errors: Vec<Vec<(String, String)>> = specs.iter().map(|spec| errors(spec)).collect();
    let declared: Vec<Declared<'_>> =
        specs.iter().zip(&errors).map(|(spec, errors)| declared(spec, errors)).collect();
    declarations::declarations(&declared)
}

/// One operation's signature, in a line.
pub(crate) fn signature(spec: &OperationSpec) -> String {
    declarations::signature(&declared(spec, &errors(spec)))
}

fn errors(spec: &OperationSpec) -> Vec<(String, String)> {
    spec.errors().iter().map(|error| (error.code.clone(), error.description.clone())).collect()
}

fn declared<'a>(spec: &'a OperationSpec, errors: &'a [(String, String)]) -> Declared<'a> {
    Declared {
        name: spec.name().as_str(),
        description: spec.description(),
        input: spec.input_schema().source(),
        output: spec.output_schema().source(),
        streams: Answers::of(spec.kind()) == Answers::Stream,
        errors,
    }
}
