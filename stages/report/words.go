package report

// words names a column for readers. Columns of a comparison tell of what they are: "accuracy after", "gain in accuracy".
func (f *frame) words(column string) string {
	if f.metric != "" {
		switch column {
		case "before", "after":
			return spaced(f.metric) + " " + column
		case "gain":
			return "gain in " + spaced(f.metric)
		}
	}
	return spaced(column)
}

// units of columns that have one; the rest are counts or ratios whose names say what they are.
var units = map[string]string{
	"train_loss":        "nats per token",
	"validation_loss":   "nats per token",
	"gap":               "nats per token",
	"response_loss":     "nats per token",
	"accuracy":          "share of examples",
	"pseudo_rank_share": "share of head dimension",
}

// unit returns the unit of a column, that of the metric for columns of a comparison.
func (f *frame) unit(column string) string {
	if f.metric != "" && (column == "before" || column == "after" || column == "gain") {
		return units[f.metric]
	}
	return units[column]
}

// axisLabel names what stands along an axis, with its unit. Columns drawn beside each other are named by the legend.
func (f *frame) axisLabel(column string, several bool) string {
	name, unit := f.words(column), f.unit(column)
	switch {
	case several && f.metric != "":
		name = spaced(f.metric)
	case several && unit != "":
		return unit
	}
	if unit != "" {
		name += " (" + unit + ")"
	}
	return name
}
