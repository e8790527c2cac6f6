;; tries: to import the world's function as one of another type.
;; expect: rejected alknet:tool/ops@0.1.0

(component
  (type $t (func (param "x" (list u64)) (result (list u64))))
  (import "alknet:tool/ops@0.1.0" (instance (export "invoke" (func (type $t))))))
