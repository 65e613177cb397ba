package builtin

import "testing"

// BenchmarkParse measures what a program pays at its start.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		for _, text := range []string{functionsText, totalText, relationsText, relationsDeniedText, settingsText, settingsShownText} {
			parse(text)
		}
	}
}
