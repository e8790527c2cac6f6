;; tries: to begin with more memory than it may have.
;; expect: rejected its memory begins with more than

(component (core module (memory 60000)))
