use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
#[test]
fn dbg() {
    let text = std::env::var("TEXT").unwrap();
    for kind in [SourceType::ts().with_module(true), SourceType::mjs()] {
        let a = Allocator::new();
        let p = Parser::new(&a, &text, kind).parse();
        println!(
            "{} {:?}\n{:#?}",
            p.panicked,
            p.diagnostics.iter().map(|d| format!("{d} {:?}", d.labels)).collect::<Vec<_>>(),
            p.program.body
        );
    }
}
