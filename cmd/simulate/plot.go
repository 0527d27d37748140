package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

var (
	blue  = color.RGBA{B: 180, G: 90, A: 255}
	gray  = color.Gray{Y: 90}
	faint = color.Gray{Y: 225}
)

// draw draws lag against polls, both on logarithmic axes, into an SVG file: the
// points of the main set, and our curve on both.
func draw(tuned, heldOut *study, file string) error {
	plot.DefaultFont.Variant = "Sans"
	plotter.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.BackgroundColor = color.White // or a dark page would hide the axes
	logarithmic(&p.X, "polls a job", 6, 1000, []float64{10, 20, 50, 100, 200, 500})
	logarithmic(&p.Y, "mean lag, s", 0.8, 110, []float64{1, 2, 5, 10, 20, 50, 100})
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	p.Add(grid)

	p.Legend.Top = true
	p.Legend.TextStyle.Font.Size = font.Points(10)
	if err := addCurve(p, "ours, at every pace", tuned, nil); err != nil {
		return err
	}
	if err := addCurve(p, "the same, on the hold-out set", heldOut, []vg.Length{vg.Points(4), vg.Points(3)}); err != nil {
		return err
	}
	shipped := tuned.shipped
	shipped.name = "as shipped"
	if err := addPoint(p, shipped, blue); err != nil {
		return err
	}
	for _, r := range tuned.others {
		if mean(r.lag) == 0 { // the oracle's has no logarithm
			continue
		}
		if err := addPoint(p, r, gray); err != nil {
			return err
		}
	}
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, file)
}

func addCurve(p *plot.Plot, name string, st *study, dashes []vg.Length) error {
	var points plotter.XYs
	for _, r := range st.curve {
		points = append(points, plotter.XY{X: r.polls, Y: mean(r.lag)})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = blue, vg.Points(1.5), dashes
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

func addPoint(p *plot.Plot, r result, c color.Color) error {
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
	label.Offset = vg.Point{X: vg.Points(5), Y: vg.Points(-4)}
	label.TextStyle[0].Color = c
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
