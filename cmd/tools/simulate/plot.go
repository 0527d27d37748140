package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

var (
	blue  = color.RGBA{B: 180, G: 90, A: 255}
	gray  = color.Gray{Y: 90}
	faint = color.Gray{Y: 225}
)

// draw draws lag against polls, both on logarithmic axes, into an SVG file: the
// points of the main set, our curve on both, and the optima.
func draw(tuned, heldOut *study, optima []optimum, file string) error {
	plot.DefaultFont.Variant = "Sans"
	plotter.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.BackgroundColor = color.White // or a dark page would hide the axes
	logarithmic(&p.X, "polls a job", 3, 1400, []float64{5, 10, 20, 50, 100, 200, 500})
	logarithmic(&p.Y, "mean lag, s", 0.8, 1200, []float64{1, 2, 5, 10, 20, 50, 100, 200, 500})
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	p.Add(grid)

	// The lines on the left and the texts behind them, so that a text in a wider font
	// than the one it is measured in runs into nothing.
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, vg.Points(200)
	p.Legend.TextStyle.Font.Size = font.Points(10)
	for _, c := range []struct {
		name   string
		points []pricedResult
		color  color.Color
		dashes []vg.Length
	}{
		{"ours, at every pace", tuned.curve, blue, nil},
		{"the same, on the hold-out set", heldOut.curve, blue, []vg.Length{vg.Points(4), vg.Points(3)}},
		{optima[0].name, optima[0].curve, gray, nil},
		{optima[1].name, optima[1].curve, gray, []vg.Length{vg.Points(1), vg.Points(2)}},
	} {
		if err := addCurve(p, c.name, c.points, c.color, c.dashes); err != nil {
			return err
		}
	}
	shipped := tuned.shipped
	shipped.name = "as shipped"
	if err := addPoint(p, shipped, blue, text.XRight); err != nil {
		return err
	}
	fewest := tuned.curve[len(tuned.curve)-1].polls
	for _, r := range tuned.others {
		if mean(r.lag) == 0 { // the oracle's has no logarithm
			continue
		}
		side := text.XLeft
		if r.polls < fewest { // on the other side stands our curve
			side = text.XRight
		}
		if err := addPoint(p, r, gray, side); err != nil {
			return err
		}
	}
	return save(p, file)
}

// save writes the plot with fonts to fall back on, for few have Liberation Sans.
func save(p *plot.Plot, file string) error {
	drawn, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := drawn.WriteTo(&svg); err != nil {
		return err
	}
	const own = "font-family:Liberation Sans"
	return os.WriteFile(file, bytes.ReplaceAll(svg.Bytes(), []byte(own), []byte(own+",Arial,Helvetica,sans-serif")), 0o644)
}

func addCurve(p *plot.Plot, name string, curve []pricedResult, c color.Color, dashes []vg.Length) error {
	var points plotter.XYs
	for _, r := range curve {
		points = append(points, plotter.XY{X: r.polls, Y: mean(r.lag)})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = c, vg.Points(1.5), dashes
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

// lower moves names that would stand in others' way, in points.
var lower = map[string]float64{"as shipped": -9, "fixed 60 s": 4, "Temporal": -1, "AWS waiter": -5, "version 0.2": -6}

// addPoint adds a point, whose name begins or ends beside it.
func addPoint(p *plot.Plot, r result, c color.Color, side text.XAlignment) error {
	at := plotter.XYs{{X: r.polls, Y: mean(r.lag)}}
	point, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	point.GlyphStyle = vgdraw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: vgdraw.CircleGlyph{}}
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: []string{r.name}})
	if err != nil {
		return err
	}
	label.Offset = vg.Point{X: vg.Points(5 + 19*float64(side)), Y: vg.Points(-4 + lower[r.name])} // on the left with room for a wider font
	label.TextStyle[0].Color, label.TextStyle[0].XAlign = c, side
	p.Add(point, label)
	return nil
}

func logarithmic(a *plot.Axis, label string, least, most float64, ticks []float64) {
	a.Label.Text = label
	a.Label.Padding = vg.Points(4)
	a.Scale = plot.LogScale{}
	a.Min, a.Max = least, most
	var marks plot.ConstantTicks
	for _, at := range ticks {
		marks = append(marks, plot.Tick{Value: at, Label: fmt.Sprint(at)})
	}
	a.Tick.Marker = marks
}
