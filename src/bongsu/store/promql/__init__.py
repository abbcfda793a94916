"""PromQL over any source of series: the grammar is promql-parser's, the evaluation is ours."""
