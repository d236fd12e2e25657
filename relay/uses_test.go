package relay

import "testing"

func TestUsesOutliveReloadsOfWhatIsListed(t *testing.T) {
	var u uses
	one := u.of("p:a")
	u.of("p:b")
	u.retain([]string{"p:a", "p:c"})
	if u.of("p:a") != one || len(u.all) != 1 {
		t.Errorf("%v", u.all)
	}
}
