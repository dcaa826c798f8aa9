package report

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// clicks sorts the table by its third column, up and then down, and leaves the order of the
// labels after each in the page's title.
const clicks = `<script>
const order = () => [...document.querySelectorAll("#runs tbody tr")].map(r => r.children[0].textContent).join(" ");
const head = document.querySelectorAll("#runs th button")[2];
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
head.click(); const up = order(); head.click();
document.title = [up, order(), wide, document.querySelectorAll("svg .curve").length].join("|");
</script>`

// TestPageInABrowser sorts the page's table in Chromium, where there is one.
func TestPageInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("no chromium")
	}
	page, err := Compare(readSweep(t, 1, 2, 3)).HTML()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	if err := os.WriteFile(path, []byte(strings.Replace(string(page), "</body>", clicks+"</body>", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithTimeout(t.Context(), 2*time.Minute)
	defer done()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=500,800",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", "file://"+path).Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	title := regexp.MustCompile(`<title>([^<]*)</title>`).FindSubmatch(out)
	const best, next, last = "loraone,lora_r=8", "loraone,lora_r=4", "lora"
	want := strings.Join([]string{best + " " + next + " " + last, last + " " + next + " " + best, "false", "12"}, "|")
	if title == nil || string(title[1]) != want {
		t.Errorf("the browser says %q, want %q", title, want)
	}
}
