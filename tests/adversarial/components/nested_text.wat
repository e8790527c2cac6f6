;; tries: to exhaust the stack of the text's parser.
;; expect: rejected 
;; repeat: @OPEN@ 20000 (block
;; repeat: @CLOSE@ 20000 )

(module (func @OPEN@ @CLOSE@))
