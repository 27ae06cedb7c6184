module throughline.example/bench/peer

go 1.21
