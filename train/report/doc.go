// Package report shows what runs or a file of rows came to: the model card, the curves
// of the losses as a picture, the page of a check, the comparison of many runs. It makes
// text; where that goes, and how it gets there whole, is its caller's business.
//
// Runs are read from their folders, whatever has made them, and compared by configuration:
// means over seeds, differences paired by seed, and in words what follows from them and
// what does not. One that cannot be read is left out, and named.
//
// Whatever comes from files of somebody's, names included, is made harmless here: it
// cannot end its line, its quotes or the element around it.
package report
