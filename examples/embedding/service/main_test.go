package main

func Example() {
	main()
	// Output:
	// HELLO <nil>
	// AGAIN <nil>
	// east  healthy false answered 0 of 1
	// west  healthy true  answered 2 of 2
	// spare healthy true  answered 0 of 0
}
