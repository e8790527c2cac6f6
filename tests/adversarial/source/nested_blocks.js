// tries: to exhaust the stack of the compiler with nested blocks.
// expect: rejected nest
// repeat: @OPEN@ 60000 {
// repeat: @CLOSE@ 60000 }

export default async () => { @OPEN@ @CLOSE@ };
