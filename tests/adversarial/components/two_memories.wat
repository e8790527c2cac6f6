;; tries: to have more than one memory.
;; expect: rejected memory

(component (core module (memory 1) (memory 1)))
