package pipeline

import "time"

// FirstPause sets how long a stage that failed rests before its second attempt.
func FirstPause(d time.Duration) { firstPause = d }
