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

// clicks sorts the table by a column, up and then down, and leaves in the page's title: the
// order of the labels after each, whether the page is wider than the browser, and how many
// curves, prompts of samples and answers to them there are.
const clicks = `<script>
const order = () => [...document.querySelectorAll("#runs tbody tr")].map(r => r.children[0].textContent).join(" ");
const head = document.querySelectorAll("#runs th button")[COLUMN];
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
head.click(); const up = order(); head.click();
document.title = [up, order(), wide, ...["svg .curve", "#samples article", "#samples dd"].map(s => document.querySelectorAll(s).length)].join("|");
</script>`

// TestPageInABrowser sorts the page's table in Chromium, where there is one.
func TestPageInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("no chromium")
	}
	const best, next, last = "loraone,lora_r=8", "loraone,lora_r=4", "lora"
	const two, one = "loraone,lora_r=2", "loraone,lora_r=1"
	for name, c := range map[string]struct {
		runs   *Runs
		column string
		want   []string
	}{
		"losses":  {readSweep(t, 1, 2, 3), "2", []string{best + " " + next + " " + last, last + " " + next + " " + best, "false", "12", "0", "0"}},
		"answers": {readAnswers(t, 1, 2, 3), "9", []string{one + " " + last + " " + two, two + " " + one + " " + last, "false", "12", "2", "8"}},
	} {
		page, err := Compare(c.runs).HTML()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "page.html")
		script := strings.Replace(clicks, "COLUMN", c.column, 1)
		if err := os.WriteFile(path, []byte(strings.Replace(string(page), "</body>", script+"</body>", 1)), 0o644); err != nil {
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
		if want := strings.Join(c.want, "|"); title == nil || string(title[1]) != want {
			t.Errorf("%s: the browser says %q, want %q", name, title, want)
		}
	}
}
