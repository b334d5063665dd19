package kernel

// CrossEntropy stores in loss the negative log-likelihood in nats of each row's target under softmax(logits) (rows,vocab), 0 for a target of
// -1, computed in float64 from a row sum in 16 lanes:
//
//	lse = ln Σ e^(logit-max) + max
//	loss = ln Σ e^(logit-max) + (max - logit[target])
//
// The logits are overwritten. With gradient they become the gradient of scale·Σ (loss + z·lse²), which for z > 0 keeps lse near 0 (Chowdhery
// et al. 2022); the loss stored is without z. With p = e^(logit-max)·(1/Σ) and the factor f = 1 + 2·z·lse, computed in float64 and rounded,
//
//	p·(f·scale), and (p·f - 1)·scale for the target
//
// in that order, p and the result +0 below 2^-100; a row of zeros for a target of -1.
func CrossEntropy(loss []float64, logits []float32, targets []int32, gradient bool, scale, z float32) {
	if len(targets) == 0 {
		return
	}
	vocab := len(logits) / len(targets)
	if len(loss) != len(targets) || vocab*len(targets) != len(logits) {
		panic("kernel: CrossEntropy of unequal shapes")
	}
	for i, t := range targets {
		row := logits[i*vocab:][:vocab]
		if t < 0 {
			loss[i] = 0
			if gradient {
				clear(row)
			}
			continue
		}
		peak, chosen := Max(row), row[t]
		sum := expSum(row, row, 1, peak)
		logSum := Log(float64(sum))
		loss[i] = logSum + (float64(peak) - float64(chosen))
		if !gradient {
			continue
		}
		factor := float32(1 + float64(2*float64(z)*(logSum+float64(peak))))
		inverse := 1 / sum
		p := flush(row[t] * inverse)
		scaleFlush(row, inverse, factor*scale)
		row[t] = flush((float32(p*factor) - 1) * scale)
	}
}
