;; tries: to be a tool that cannot be called.
;; expect: rejected invoke

(component)
