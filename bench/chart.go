package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// A drawing is an SVG without scripts or fonts of its own, for browsers and for
// Markdown, in the colours of the reader's scheme.
type drawing struct {
	strings.Builder
	width, height float64
}

// Colours that remain apart for those who see some of them alike (Okabe and Ito).
const style = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.one { stroke: #59636e; stroke-width: 1; stroke-dasharray: 4 3 }
.s0 { fill: #0072b2; stroke: #0072b2 } .s1 { fill: #56b4e9; stroke: #56b4e9 } .s2 { fill: #d55e00; stroke: #d55e00 }
.s3 { fill: #e69f00; stroke: #e69f00 } .s4 { fill: #999999; stroke: #999999 }
.line { fill: none; stroke-width: 2 }
.range { stroke: #1f2328; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .paper { fill: #0d1117 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
.range { stroke: #f0f6fc }
}
`

func newDrawing(title string, width, height float64) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img">`+"\n",
		number(width), number(height), number(width), number(height))
	fmt.Fprintf(d, "<title>%s</title>\n<style>%s</style>\n", html.EscapeString(title), style)
	fmt.Fprintf(d, `<rect class="paper" width="%s" height="%s"/>`+"\n", number(width), number(height))
	return d
}

func (d *drawing) end() string { return d.String() + "</svg>\n" }

func (d *drawing) text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(d, `<text x="%s" y="%s" class="%s" text-anchor="%s">%s</text>`+"\n", number(x), number(y), class, anchor, html.EscapeString(text))
}

func (d *drawing) rect(x, y, width, height float64, class string) {
	fmt.Fprintf(d, `<rect x="%s" y="%s" width="%s" height="%s" class="%s" stroke="none"/>`+"\n", number(x), number(y), number(width), number(height), class)
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(d, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`+"\n", number(x1), number(y1), number(x2), number(y2), class)
}

// number prints a coordinate.
func number(x float64) string { return short(x, 1) }

// short prints a number with so many decimals at most.
func short(x float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, x)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// The arms that are drawn, in the order of their colours.
var drawnArms = []string{scopedHot, scopedAnew, securedTx, securedConn, gormScope}

// ratioChart draws a ratio of each workload and arm as a bar, with its quartiles.
func (r *results) ratioChart(title string, connections int, ratio func(*armResult) *spread) string {
	const left, right, top, bar, gap = 130, 60, 112, 13, 14
	var groups []string
	for _, c := range r.Workloads {
		if c.Connections == connections {
			groups = append(groups, c.Workload)
		}
	}
	widest, bars := 1.0, 0
	for _, g := range groups {
		for _, arm := range drawnArms {
			if a := r.arm(g, connections, arm); a != nil {
				widest = max(widest, ratio(a).Median)
				bars++
			}
		}
	}
	width := 800.0
	height := float64(top + bars*bar + len(groups)*gap + 24)
	step := tick(widest)
	scale := (width - left - right) / (math.Ceil(widest/step) * step)

	d := newDrawing(title, width, height)
	d.text(16, 26, "title", "start", title)
	for i, arm := range drawnArms {
		x, y := 16+float64(i%2)*390, 46+float64(i/2)*18
		d.rect(x, y-10, 12, 12, fmt.Sprintf("s%d", i))
		d.text(x+18, y, "", "start", arm)
	}
	bottom := height - 24
	for v := 0.0; v <= widest+step*0.999; v += step {
		d.line(left+v*scale, top-6, left+v*scale, bottom, "grid")
		d.text(left+v*scale, bottom+15, "small", "middle", short(v, 2))
	}
	y := float64(top)
	for _, g := range groups {
		first := y
		for i, arm := range drawnArms {
			a := r.arm(g, connections, arm)
			if a == nil {
				continue
			}
			s := ratio(a)
			d.rect(left, y, s.Median*scale, bar-2, fmt.Sprintf("s%d", i))
			upper := min(s.Q3, (width-right-left)/scale)
			d.line(left+s.Q1*scale, y+bar/2-0.5, left+upper*scale, y+bar/2-0.5, "range")
			d.text(left+max(s.Median, upper)*scale+5, y+bar-3.5, "small", "start", fmt.Sprintf("%.2f", s.Median))
			y += bar
		}
		d.text(left-8, (first+y)/2+4, "", "end", g)
		y += gap
	}
	d.line(left+scale, top-6, left+scale, bottom, "one")
	return d.end()
}

// tick returns the distance of some four to eight marks up to a value.
func tick(most float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, f := range []float64{1, 2, 5} {
		if most/(power*f) <= 8 {
			return power * f
		}
	}
	return power * 10
}

// scaleChart draws the curves side by side, over a logarithmic axis.
func (r *results) scaleChart() string {
	const title, columns, panelWidth, panelHeight = "What grows with what", 2, 400.0, 240.0
	panels := (len(r.Scale) + columns - 1) / columns
	d := newDrawing(title, columns*panelWidth, 40+float64(panels)*panelHeight)
	d.text(16, 26, "title", "start", title)
	for i, c := range r.Scale {
		d.curve(c, float64(i%columns)*panelWidth, 40+float64(i/columns)*panelHeight, panelWidth, panelHeight)
	}
	return d.end()
}

func (d *drawing) curve(c curve, x0, y0, width, height float64) {
	left, right, top, bottom := x0+52, x0+width-24, y0+42, y0+height-40
	d.text(x0+16, y0+16, "", "start", c.Name)
	most := 0.0
	for _, p := range c.Points {
		for _, s := range c.Chart {
			most = max(most, p.Values[s])
		}
	}
	first, last := float64(c.Points[0].X), float64(c.Points[len(c.Points)-1].X)
	step := tick(most)
	upper := math.Ceil(most/step) * step
	atX := func(v float64) float64 { return left + (right-left)*math.Log(v/first)/math.Log(last/first) }
	atY := func(v float64) float64 { return bottom - (bottom-top)*v/upper }
	for v := 0.0; v <= upper*1.001; v += step {
		d.line(left, atY(v), right, atY(v), "grid")
		d.text(left-6, atY(v)+4, "small", "end", short(v, 2))
	}
	for i, p := range c.Points {
		if i%2 == 0 || len(c.Points) < 8 {
			d.text(atX(float64(p.X)), bottom+15, "small", "middle", thousands(p.X))
		}
	}
	d.text((left+right)/2, bottom+31, "small", "middle", c.X)
	legend := left
	for i, s := range c.Chart {
		class := fmt.Sprintf("s%d", i*2)
		d.rect(legend, y0+24, 10, 10, class)
		d.text(legend+15, y0+33, "small", "start", c.Series[s])
		legend += 30 + 6*float64(len([]rune(c.Series[s])))
		var points []string
		for _, p := range c.Points {
			x, y := atX(float64(p.X)), atY(p.Values[s])
			points = append(points, number(x)+","+number(y))
			fmt.Fprintf(d, `<circle cx="%s" cy="%s" r="3" class="%s"/>`+"\n", number(x), number(y), class)
		}
		fmt.Fprintf(d, `<polyline points="%s" class="%s line"/>`+"\n", strings.Join(points, " "), class)
	}
}

// thousands prints an integer with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	var parts []string
	for len(text) > 3 {
		parts = append(parts, text[len(text)-3:])
		text = text[:len(text)-3]
	}
	parts = append(parts, text)
	slices.Reverse(parts)
	return strings.Join(parts, ",")
}
