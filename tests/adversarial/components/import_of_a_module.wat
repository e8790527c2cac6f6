;; tries: to import a module, not an instance.
;; expect: rejected which is not there

(component (import "native" (core module)))
