package tiktoken

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// Newton's Opticks, which comes with Go.
func TestOpticks(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/testdata/Isaac.Newton-Opticks.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range load(t) {
		if got := e.check(t, string(text)); got != e.opticks {
			t.Errorf("%s: %d tokens, want %d", e.name, got, e.opticks)
		}
		t.Logf("%s: %d tokens", e.name, e.opticks)
	}
}

// Texts that Go's module for languages brings: of French, Japanese, Chinese and Korean books in UTF-8 and in older encodings, whose
// bytes are invalid, and the names of languages, scripts and countries in a hundred languages.
func TestLanguages(t *testing.T) {
	cmd := exec.Command("go", "mod", "download", "-json", "golang.org/x/text")
	cmd.Dir = "../.." // the version that the program is built with
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, "encoding/testdata/*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no texts in %s: %v", module.Dir, err)
	}
	size, tokens := 0, map[string]int{}
	for _, path := range append(files, filepath.Join(module.Dir, "language/display/tables.go")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size += len(text)
		for _, e := range load(t) {
			tokens[string(e.name)] += e.check(t, string(text))
		}
	}
	t.Logf("%d files of %d bytes: %v tokens", len(files)+1, size, tokens)
}

// Every character of Unicode, a letter, a digit, a space, a mark, a newline and itself beside it; but for U+007F, of which see faulty.
func TestCharacters(t *testing.T) {
	var b strings.Builder
	for r := range rune(unicode.MaxRune + 1) {
		if r != 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z) {
			c := string(r)
			b.WriteString("a" + c + "1" + c + " " + c + "!\n" + c + c)
		}
	}
	b.WriteString("\u0378\U000e0fff\U0010ffff") // of no class
	for _, e := range load(t) {
		t.Logf("%s: %d bytes, %d tokens", e.name, b.Len(), e.check(t, b.String()))
	}
}

var texts = []string{
	"",
	" ",
	"\n",
	"hello world",
	"我能吞下玻璃而不伤身体。「論語」学而时习之，不亦说乎？１２３４５ 一二三",
	"أنا قادر على أكل الزجاج و هذا لا يؤلمني. بِسْمِ ٱللَّٰهِ ٱلرَّحْمَٰنِ ٣٫١٤ ١٢٣٤",
	"मैं काँच खा सकता हूँ और मुझे उससे कोई चोट नहीं पहुंचती। क्षत्रिय ज़िन्दगी १२३४५",
	"ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ ๑๒๓๔",
	"אני יכול לאכול זכוכית וזה לא מזיק לי. שָׁלוֹם",
	"유리를 먹을 수 있어요. 그래도 아프지 않아요; ᄒᆞᆫ글",
	"Μπορώ να φάω σπασμένα γυαλιά· ΟΔΥΣΣΕΎΣ ς σ",
	"Kristal yerim, İSTANBUL'DA ığıl ığıl; I'İ i'ı",
	"Größe STRASSE Straße ẞ ß'S ﬀ ﬁ ĳ ǅ",
	"👩‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇩🇪🇫🇷 ❤️ 1️⃣ #️⃣ 👍🏿👍🏻!",
	"e\u0301a\u0308\u0323 Z\u0351\u036b\u0343 \u0301 \u0301a 1\u0301",
	"naïve café déjà-vu Ångström Å Å ℵ ℌ 𝔄𝕏𝟙 ² ³ ½ Ⅷ ㊿ ① 𐒠 𒀀𓀀",
	"it's I'VE they'Re HE'LL we'lL you'D I'm I'M don'T 'S 't 'rE 'V 'vE 'l 'r",
	"it'ſ 'ſ 'ſthe 'ſs I'ſe a'ſ'ſ 'ſſ '\u017f1 \u212a'\u212a it’s it‘s 'k",
	"''s '''s 's's's 'st 'sthe 're'd' 'd've'll '",
	" 's \n's\t'S 1's !'s 's1 's! 's\n",
	"a  b   c    d\te\t\tf \t g\t h",
	"  lead", "trail  ", "trail\n", "trail\n\n", "trail\n  ", "trail \n \n ", "\n \n", " \n", "\n ", "\t\n\t", "\r\n\r\n", "\r \n\r",
	"a\n\nb\n \nc\n  d\r\n\r\ne\rf\n\n\n  g \n\n h !\n\n? \n!\r\n\r\nx",
	"!\n\n\n a !!\n b ... \n\n...\r\r\n- \u3000\n",
	"a\u00a0b\u00a0\u00a0c \u00a0d\u3000\u3000e\u2003 f\u2028g\u2029\u2029h\u0085i\u1680j\u180ek\u200bl\u200d\ufeffm\u202f1\u205f!",
	"\x00\x01\x1b[0m\x1c\x1d\x1e\x1f\x7f \x0b\x0c\u0080\u0085\u009f",
	"1 12 123 1234 12345 123456 1234567 12345678901234567890 1.5e-10 ٣٤٥٦ ½½½½ 1a2b3c 0x1F 1_000",
	"func main() {\n\tfmt.Println(\"hello, world\") // 1 << 20\n\tif x != y && !z {\n\t\treturn nil\n\t}\n}\n\n\n",
	"<|endoftext|> <|fim_prefix|>x<|fim_suffix|><|endofprompt|> <s> </s>",
	"https://example.org/a?b=c&d=%20#e user@example.org C:\\Users\\x ~/.bashrc $HOME `code` **bold** __init__",
	"supercalifragilisticexpialidocious Donaudampfschifffahrtsgesellschaftskapitän",
	"\ufffd\ufffd \ufffd a\ufffd 1\ufffd",
	"\xff", "a\xffb", " \xff\xfe", "\xc3 \xc3( \xe6\x97", "\xed\xa0\x80 \xed\xbf\xbf", "\xf4\x90\x80\x80 \xc0\x80", "'\xc5", "'\xbf s", "\xff\n\n\xff \n", "日\xe6\x97本\xff\ufffd",
	strings.Repeat(" ", 1000), strings.Repeat(" ", 1000) + "x", strings.Repeat("\n", 1000), strings.Repeat("\n ", 500), strings.Repeat("\r\n", 500) + "x",
	strings.Repeat("a", 5000), strings.Repeat("ab", 3000), strings.Repeat("1", 2000), strings.Repeat("=", 3000), strings.Repeat("語", 1000), strings.Repeat("'s", 500),
	strings.Repeat("\u0301", 1000), strings.Repeat("👩‍", 500), strings.Repeat("\xff", 1000), strings.Repeat("the quick brown fox", 300),
}

func TestTexts(t *testing.T) {
	for _, e := range load(t) {
		for _, text := range texts {
			e.check(t, text)
		}
	}
}

func TestRandomBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		b := make([]byte, r.IntN(200))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		for _, e := range load(t) {
			e.check(t, string(b))
		}
	}
}

// parts are what random texts are made of: whatever the patterns and UTF-8 treat in a way of its own.
var parts = strings.Split("a|B|z|the|The|ing|tion|é|É|ß|ẞ|İ|ı|ſ|K|ω|Ω|ς|語|日本|न|ा|ع|ل|ก|가|ᄒ|ǅ|ʰ|ª|0|1|7|12|999|½|²|٣|Ⅷ|१| | |  |   |\n|\n|\r|\r\n|\t|\v|\f|"+
	"\u0085|\u00a0|\u1680|\u180e|\u2003|\u2028|\u2029|\u202f|\u205f|\u3000|'|'|'s|'S|'ſ|'t|'T|'re|'rE|'ve|'m|'M|'ll|'lL|'l|'d|'D|’|!|-|_|.|,|(|)|\"|/|<|=|==|…|—|$|€|"+
	"🙂|👍🏽|👩\u200d🚀|\ufe0f|\u0301|\u0308|\u200b|\u200d|\ufeff|\ufffd|\x00|\x1c|\x7f|\U000e0041|\uffff|\U0010ffff", "|")

// damage are bytes that are no UTF-8, or not alone.
var damage = []string{"\xff", "\x80", "\xc3", "\xc5", "\xbf", "\xe6\x97", "\xed\xa0\x80", "\xf0\x9f\x99", "\xc0\x80", "\xf4\x90\x80\x80"}

func TestRandomTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const count = 120_000
	size := 0
	var b strings.Builder
	for i := range count {
		b.Reset()
		for range 1 + r.IntN(16) {
			switch n := r.IntN(20); {
			case n == 0:
				b.WriteRune(rune(r.IntN(0x3000)))
			case n == 1:
				b.WriteString(strings.Repeat(parts[r.IntN(len(parts))], 2+r.IntN(6)))
			case n == 2 && i%4 == 0:
				b.WriteString(damage[r.IntN(len(damage))])
			default:
				b.WriteString(parts[r.IntN(len(parts))])
			}
		}
		size += b.Len()
		for _, e := range load(t) {
			e.check(t, b.String())
		}
	}
	t.Logf("%d texts of %d bytes", count, size)
}

func FuzzSameIds(f *testing.F) {
	for _, text := range texts {
		if len(text) < 200 {
			f.Add(text)
		}
	}
	all := load(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range all {
			e.check(t, text)
		}
	})
}
