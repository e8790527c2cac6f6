;; tries: to nest types very deeply.
;; expect: rejected 
;; repeat: @OPEN@ 5000 (list 
;; repeat: @CLOSE@ 5000 )

(component (type @OPEN@ u8 @CLOSE@))
