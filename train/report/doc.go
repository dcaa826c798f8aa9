// Package report shows what a run or a file of rows came to: the model card, the curves
// of the losses as a picture, the page of a check. It makes text; where that goes, and how it
// gets there whole, is its caller's business.
//
// Whatever comes from files of somebody's, names included, is made harmless here: it
// cannot end its line, its quotes or the element around it.
package report
