;; tries: to import the world's interface in another version.
;; expect: rejected alknet:tool/ops@9.9.9

(component (import "alknet:tool/ops@9.9.9" (instance)))
