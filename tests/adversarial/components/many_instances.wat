;; tries: to begin very many instances of one module.
;; expect: rejected 
;; repeat: @INSTANCES@ 1000 (core instance (instantiate $m))

(component
  (core module $m (memory 1))
  @INSTANCES@)
