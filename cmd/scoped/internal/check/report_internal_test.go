package check

import "flag"

var update = flag.Bool("update", false, "write the golden files and the list of rules in the documentation")
