;; tries: to have few components begin each other a thousand million times.
;; expect: rejected it begins components more than
;; repeat: @A@ 1000 (instance(instantiate $a))
;; repeat: @B@ 1000 (instance(instantiate $b))
;; repeat: @C@ 1000 (instance(instantiate $c))

(component
  (component $a)
  (component $b @A@)
  (component $c @B@)
  (component $d @C@)
  (instance (instantiate $d)))
