//go:build !amd64

package kernel

// There are no functions on vectors: the portable loops run.

const noVectors = "kernel: no vector functions on this architecture"

func sumVector(x []float32) float32 { panic(noVectors) }

func dotVector(x, y []float32) float32 { panic(noVectors) }

func maxVector(x []float32) float32 { panic(noVectors) }

func finiteVector(x []float32) float32 { panic(noVectors) }

func expVector(out, x []float32, scale, shift float32) float32 { panic(noVectors) }

func scaleFlushVector(x []float32, first, second float32) { panic(noVectors) }

func softmaxGradientVector(d, p []float32, mean, scale float32) { panic(noVectors) }

func normalizeVector(out, x, gain []float32, rstd float32) { panic(noVectors) }

func normDotVector(dy, x, gain []float32, rstd float32) float32 { panic(noVectors) }

func normGradientVector(dx, dy, x, gain []float32, rstd, mean float32) { panic(noVectors) }

func gainSumsVector(sum []float64, dy, x *float32, rstd []float32, width int) { panic(noVectors) }

func rotateVector(x, cos, sin []float32, direction float32) { panic(noVectors) }

func swigluVector(out, sigmoid, gate, up []float32) { panic(noVectors) }

func swigluBackwardVector(gate, up, sigmoid, dout []float32) { panic(noVectors) }

func adamwVector(w, m, v, g []float32, c *[10]float32) { panic(noVectors) }

func addVector(sum, x []float32) { panic(noVectors) }

func transposeBlocks(out *float32, ldout int, x *float32, ldx, blocks int) { panic(noVectors) }
