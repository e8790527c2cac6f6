;; tries: to have very many functions compiled.
;; expect: rejected more than 20000 functions
;; repeat: @FUNCTIONS@ 20001 (func)

(component (core module @FUNCTIONS@))
