//! Tests of the call protocol through its public interface.

mod authority;
mod link;
mod support;
