;; tries: to import an interface of WASI.
;; expect: rejected wasi:cli/environment

(component (import "wasi:cli/environment@0.2.0" (instance)))
