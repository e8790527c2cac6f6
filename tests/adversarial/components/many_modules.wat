;; tries: to have very many modules compiled.
;; expect: rejected more than 8 modules
;; repeat: @MODULES@ 500 (core module)

(component @MODULES@)
